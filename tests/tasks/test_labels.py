"""What logits mean: probabilities, answers, weights, and what config.json says of them."""

import json

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from zoo.errors import UserError
from zoo.presets import PresetError
from zoo.presets.schema import check
from zoo.tasks import Labels
from zoo.tasks.labels import SCHEMA

RANDOM = np.random.default_rng(0)
LOGITS = 2 * RANDOM.normal(size=(40, 5))
GROUPED = Labels(["bad", "good"], [[0, 1], [3, 4]])
NAMED = Labels(GROUPED.names, GROUPED.groups, class_names=["worst", "bad", "even", "good", "best"])
SEVERAL = Labels(["x", "y", "z"], multi_label=True)


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def number(value):
    return float(keras.ops.convert_to_numpy(value))


def test_probabilities_with_a_temperature():
    five = Labels(list("abcde"))
    np.testing.assert_allclose(five.probabilities(LOGITS), softmax(LOGITS))
    warm = Labels(list("abcde"), temperature=2.5)
    np.testing.assert_allclose(warm.probabilities(LOGITS), softmax(LOGITS / 2.5))
    np.testing.assert_array_equal(warm.decide(warm.probabilities(LOGITS)), LOGITS.argmax(axis=1))
    sums = np.stack([softmax(LOGITS)[:, :2].sum(1), softmax(LOGITS)[:, 3:].sum(1)], axis=1)
    np.testing.assert_allclose(GROUPED.probabilities(LOGITS), sums / sums.sum(1, keepdims=True))
    warm = Labels(GROUPED.names, GROUPED.groups, temperature=2.0)  # the sums are what it divides
    np.testing.assert_allclose(warm.probabilities(LOGITS), softmax(np.log(sums) / 2))
    logits = np.append(LOGITS[:, :3], [[-800, 0, 800]], axis=0)
    found = Labels(list("xyz"), multi_label=True, temperature=2.0).probabilities(logits)
    np.testing.assert_allclose(found[:-1], 1 / (1 + np.exp(-LOGITS[:, :3] / 2)))
    np.testing.assert_array_equal(found[-1].round(12), [0, 0.5, 1])


@pytest.mark.parametrize("labels", [Labels(list("abcde")), GROUPED, SEVERAL])
@pytest.mark.parametrize("temperature", [0.3, 4.0])
def test_uncalibrated_takes_the_temperature_away(labels, temperature):
    logits = LOGITS[:, : labels.classes]
    warm = Labels(labels.names, labels.groups, labels.multi_label, temperature)
    np.testing.assert_allclose(
        warm.uncalibrated(warm.probabilities(logits)), labels.probabilities(logits), atol=1e-9
    )


def test_answers():
    p = np.array([[0.7, 0.3], [0.5, 0.5], [0.2, 0.8]])
    two = Labels(["no", "yes"])
    assert two.decide(p).tolist() == [0, 0, 1]
    assert Labels(["no", "yes"], thresholds=[0.3]).decide(p).tolist() == [1, 1, 1]
    assert Labels(["no", "yes"], thresholds=[0.9]).decide(p).tolist() == [0, 0, 0]
    answer = Labels(["no", "yes"], thresholds=[0.3]).prediction(p[0])
    assert (answer.label, answer.probability, answer.labels) == ("yes", 0.3, None)
    assert answer.to_dict() == {"label": "yes", "probability": 0.3, "probabilities": {"no": 0.7, "yes": 0.3}}
    answer = SEVERAL.prediction(np.array([0.9, 0.2, 0.5]))
    assert (answer.label, answer.labels) == ("x", ("x", "z"))
    assert answer.to_dict() == {"labels": "x;z", "probabilities": {"x": 0.9, "y": 0.2, "z": 0.5}}
    assert str(answer) == "x  0.900  z  0.500"
    none = Labels(list("xyz"), multi_label=True, thresholds=[0.95, 0.5, 0.6]).prediction(
        np.array([0.9, 0.2, 0.5])
    )
    assert (none.label, none.probability, none.labels, str(none)) == ("x", 0.9, (), "(no label)")
    assert none.to_dict()["labels"] == ""


def test_truth_and_targets():
    two = Labels(["no", "yes"])
    assert two.truth(["yes", "no", "yes"]).tolist() == [1, 0, 1]
    assert two.targets(["yes", "no"]).tolist() == [[0, 1], [1, 0]]
    assert Labels(["1", "2"]).truth([2, 1]).tolist() == [1, 0]
    rows = [("z", "x"), [], {"y"}]
    assert SEVERAL.truth(rows).tolist() == [[True, False, True], [False] * 3, [False, True, False]]
    assert SEVERAL.targets(rows).dtype == "float32"
    shares = RANDOM.dirichlet(np.ones(5), size=3)
    np.testing.assert_allclose(GROUPED.targets(shares), shares, rtol=1e-6)
    np.testing.assert_allclose(GROUPED.targets(shares[:, :2]), shares[:, :2], rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "given", "message"),
    [
        (GROUPED, ["bad", "nice"], r"labels\[1\]: 'nice' is none of the model's labels \(bad, good\)"),
        (GROUPED, ["bad", ("bad",)], r"labels\[1\]: found \('bad',\); the model takes one label"),
        (SEVERAL, [("x",), "x"], r"labels\[1\]: found 'x'; the model takes a list of labels"),
        (SEVERAL, [("x", "q")], r"'q' is none of the model's labels \(x, y, z \(any number"),
        (GROUPED, np.ones((2, 3)), "distributions of 3 classes; the network has 5"),
        (SEVERAL, np.full((2, 3), 1.5), "above 1"),
    ],
)
def test_labels_that_do_not_fit(labels, given, message):
    with pytest.raises(UserError, match=message):
        labels.targets(given)


def test_found():
    assert Labels.found(["b", "a", "b"]) == Labels(["a", "b"])
    assert Labels.found([["b"], [], ("a", "c")]) == Labels(list("abc"), multi_label=True)
    assert Labels(list("abc")).covers(["a", "c"])
    assert not Labels(list("abc")).covers(["a", "d"])
    assert not Labels(list("abc")).covers([("a",)])
    assert SEVERAL.covers([("x",), ()])
    assert not SEVERAL.covers(["x"])
    with pytest.raises(UserError, match="the only label is 'a'"):
        Labels.found([["a"], []])
    with pytest.raises(UserError, match="no text has a label"):
        Labels.found([[], []])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": "a"}, "two different names"),
        ({"names": ["a", "a"]}, "two different names"),
        ({"names": ["a", "b"], "groups": [[1]]}, "1 groups for 2 labels"),
        ({"names": ["a", "b"], "groups": [[1], [2]], "multi_label": True}, "leave groups out"),
        ({"names": ["a", "b"], "class_names": ["a", "b"]}, "leave class_names out"),
        ({"names": ["a", "b"], "groups": [[1], [2]], "class_names": ["x", "y"]}, "the groups need 3 of them"),
        ({"names": ["a", "b"], "groups": [[0], [1]], "class_names": ["x", "x"]}, "a name of its own"),
        ({"names": ["a", "b;c"], "multi_label": True}, "'b;c' is empty or holds ';'"),
        ({"names": ["a", "b"], "thresholds": [0.5, 0.5]}, "found 2; 1 are needed"),
        ({"names": ["a", "b"], "multi_label": True, "thresholds": [0.5]}, "found 1; 2 are needed"),
        ({"names": ["a", "b", "c"], "thresholds": [0.5]}, "the model has 3 labels, of which a text has one"),
    ],
)
def test_what_does_not_fit_together(arguments, message):
    names = arguments.pop("names")
    with pytest.raises(UserError, match=message):
        Labels(names if len(names) > 1 else ["a"], **arguments)


# --- weights and losses ----------------------------------------------------------------------------------


def test_balanced_is_that_of_scikit_learn():
    names = RANDOM.choice(["a", "b", "c"], p=[0.7, 0.2, 0.1], size=200)
    labels = Labels(["a", "b", "c", "never"])
    _, weights = labels.loss(labels.targets(names), class_weight="balanced")
    expected = dict(
        zip("abc", compute_class_weight("balanced", classes=np.array(list("abc")), y=names), strict=True)
    )
    np.testing.assert_allclose(weights, [expected[name] for name in names], rtol=1e-6)
    _, weights = labels.loss(labels.targets(names), class_weight={"b": 3})
    np.testing.assert_array_equal(weights, [3 if name == "b" else 1 for name in names])
    assert labels.loss(labels.targets(names))[1] is None


def test_balanced_of_several_labels_is_that_of_each():
    truth = np.stack([RANDOM.uniform(size=50) < share for share in (0.1, 0.5)] + [np.zeros(50, bool)], axis=1)
    loss, weights = SEVERAL.loss(truth.astype("float32"), 0.1, "balanced")
    assert weights is None
    assert loss.label_smoothing == 0.1
    for column in (0, 1):
        expected = compute_class_weight("balanced", classes=np.array([False, True]), y=truth[:, column])
        np.testing.assert_allclose(loss.weights[column], expected)
    assert loss.weights[2] == [1, 1]
    assert SEVERAL.loss(truth.astype("float32"), class_weight={"y": 5})[0].weights == [[1, 1], [1, 5], [1, 1]]


def test_the_losses_learn_what_the_probabilities_say():
    for labels in (Labels(list("abcde")), GROUPED, SEVERAL):
        logits = LOGITS[:, : labels.classes].astype("float32")
        given = RANDOM.choice(labels.names, size=40).tolist()
        given = [(name,) for name in given] if labels.multi_label else given
        targets = labels.targets(given)
        loss, _ = labels.loss(targets)
        expected = labels.metrics(labels.probabilities(logits), labels.truth(given))["log_loss"]
        assert number(loss(targets, logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("even", "found 'even'; give 'balanced'"),
        ({"goood": 2}, "class_weight: unknown label 'goood': did you mean 'good'"),
        ({"good": 0}, "'good' weighs 0; give a positive number"),
        ({"good": float("inf")}, "positive number"),
    ],
)
def test_class_weights_that_are_none(class_weight, message):
    with pytest.raises(UserError, match=message):
        GROUPED.loss(GROUPED.targets(["good", "bad"]), class_weight=class_weight)
    with pytest.raises(UserError, match="distributions over other classes"):
        GROUPED.loss(np.ones((2, 5), "float32"), class_weight=class_weight)


# --- what validation data choose -------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [Labels(list("abcde")), GROUPED, SEVERAL])
def test_calibration_lowers_the_log_loss_and_changes_no_answer(labels):
    generator = np.random.default_rng(3)
    logits = 6 * generator.normal(size=(600, labels.classes))
    p = labels.probabilities(logits / 4)
    if labels.multi_label:
        truth = generator.uniform(size=p.shape) < p
    else:
        truth = (np.log(p) + generator.gumbel(size=p.shape)).argmax(axis=1)
    if labels.multi_label or len(labels.names) == 2:
        labels = labels.with_thresholds(labels.probabilities(logits), truth, "f1")
    found = labels.calibrated(logits, truth)
    if labels.groups is None:
        assert found.temperature == pytest.approx(4, rel=0.2)
    before, after = labels.probabilities(logits), found.probabilities(logits)
    np.testing.assert_array_equal(found.decide(after), labels.decide(before))
    old, new = labels.metrics(before, truth), found.metrics(after, truth)
    assert new["log_loss"] < old["log_loss"]
    assert new["calibration_error"] < old["calibration_error"]
    same = ("micro_f1", "subset_accuracy") if labels.multi_label else ("accuracy", "macro_f1")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert found.forget() == Labels(labels.names, labels.groups, labels.multi_label)


def test_thresholds_are_the_best_on_the_data_that_chose_them():
    generator = np.random.default_rng(4)
    truth = generator.uniform(size=(300, 3)) < [0.1, 0.3, 0.5]
    p = np.clip(0.3 * truth + generator.uniform(0, 0.5, truth.shape), 0, 1)
    chosen = SEVERAL.with_thresholds(p, truth, "f1")
    assert len(set(chosen.thresholds)) == 3
    assert chosen.metrics(p, truth)["macro_f1"] > SEVERAL.metrics(p, truth)["macro_f1"] + 0.03
    two = Labels(["no", "yes"])
    rows, yes = np.stack([1 - p[:, 0], p[:, 0]], axis=1), truth[:, 0].astype(int)
    for metric, name in (("accuracy", "accuracy"), ("f1", "macro_f1")):
        chosen = two.with_thresholds(rows, yes, metric)
        values = [Labels(two.names, thresholds=[t]).metrics(rows, yes)[name] for t in np.linspace(0, 1, 201)]
        assert chosen.metrics(rows, yes)[name] >= max(values)
    with pytest.raises(UserError, match="threshold: unknown metric 'auc'"):
        two.with_thresholds(rows, yes, "auc")
    with pytest.raises(UserError, match="the model has 5 labels"):
        Labels(list("abcde")).with_thresholds(softmax(LOGITS), LOGITS.argmax(axis=1), "f1")


def test_the_classes_that_labels_sum_up_can_be_answered():
    degrees = NAMED.by_class()
    assert degrees == Labels(NAMED.class_names)
    np.testing.assert_array_equal(degrees.probabilities(LOGITS), NAMED.class_probabilities(LOGITS))
    wide = Labels(["a", "b"], [[0], [1]], class_names=["x", "y", "z"], temperature=2.0)
    assert wide.classes == 3
    np.testing.assert_allclose(wide.by_class().probabilities(LOGITS[:, :3]), softmax(LOGITS[:, :3] / 2))
    with pytest.raises(UserError, match="by_class: the labels bad, good sum up no classes that have names"):
        GROUPED.by_class()


# --- config.json -----------------------------------------------------------------------------------------


def test_config_says_only_what_differs_from_before():
    assert Labels(["a", "b"]).to_config() == {"labels": ["a", "b"], "groups": None}
    assert list(GROUPED.to_config()) == ["labels", "groups"]
    for labels in (
        Labels(list("abc"), temperature=1.7),
        Labels(["no", "yes"], [[0], [2]], temperature=0.4, thresholds=[0.25]),
        Labels(list("xyz"), multi_label=True, thresholds=[0.2, 0.5, 0.9]),
        NAMED,
    ):
        config = json.loads(json.dumps(labels.to_config()))
        assert Labels.from_config(check(config, SCHEMA, "config.json"), "config.json") == labels


def test_presets_of_before_are_the_same_when_saved_again():
    before = {"labels": ["negative", "positive"], "groups": [[0, 1], [3, 4]]}
    assert Labels.from_config(check(before, SCHEMA, "x"), "x").to_config() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0},
        {"temperature": "hot"},
        {"temperature": float("nan")},
        {"thresholds": [1.5]},
        {"thresholds": [0.1, 0.2]},
        {"thresholds": []},
        {"multi_label": 1},
        {"labels": ["a", "a"]},
        {"labels": ["a;b", "c"], "multi_label": True},
    ],
)
def test_foreign_values_are_refused(wrong):
    config = {"labels": ["a", "b"], "groups": None, **wrong}
    with pytest.raises(PresetError, match=r"config\.json"):
        Labels.from_config(check(config, SCHEMA, "config.json"), "config.json")
