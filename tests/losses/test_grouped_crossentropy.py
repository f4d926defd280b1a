import keras
import numpy as np

from zoo.losses import GroupedCrossentropy, grouped_logits

LOGITS = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
GROUPS = [[0, 1], [3, 4]]
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)


def test_grouped_logits_give_the_sums_of_probabilities():
    logits = keras.ops.convert_to_numpy(grouped_logits(LOGITS, GROUPS))
    found = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    sums = np.stack([PROBABILITIES[:, group].sum(1) for group in GROUPS], axis=1)
    np.testing.assert_allclose(found, sums / sums.sum(1, keepdims=True), rtol=1e-5)


def test_distributions_over_classes_and_over_labels():
    classes = np.random.default_rng(1).dirichlet(np.ones(5), size=4).astype("float32")
    loss = float(keras.ops.convert_to_numpy(GroupedCrossentropy(GROUPS)(classes, LOGITS)))
    np.testing.assert_allclose(loss, -(classes * np.log(PROBABILITIES)).sum(1).mean(), rtol=1e-5)
    labels = np.eye(2, dtype="float32")[[0, 1, 1, 0]]
    sums = np.stack([PROBABILITIES[:, group].sum(1) for group in GROUPS], axis=1)
    expected = -np.log((sums / sums.sum(1, keepdims=True))[range(4), [0, 1, 1, 0]]).mean()
    loss = float(keras.ops.convert_to_numpy(GroupedCrossentropy(GROUPS)(labels, LOGITS)))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_label_smoothing_equals_keras():
    labels = np.eye(5, dtype="float32")[[0, 1, 4, 2]]
    ours = GroupedCrossentropy(label_smoothing=0.1)(labels, LOGITS)
    keras_own = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(labels, LOGITS)
    np.testing.assert_allclose(
        *(float(keras.ops.convert_to_numpy(loss)) for loss in (ours, keras_own)), rtol=1e-5
    )
    config = GroupedCrossentropy(GROUPS, 0.1).get_config()
    assert GroupedCrossentropy.from_config(config).get_config() == config
