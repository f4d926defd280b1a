import keras
import numpy as np
import pytest
from keras.src.backend.common import global_state

import zoo
from applications.sentiment import sample
from zoo.cells import CATALOGUE
from zoo.errors import UserError
from zoo.presets import PresetError
from zoo.tasks import Labels, SentimentClassifier

TEXTS = [*sample.POSITIVE[:30], *sample.NEGATIVE[:30]]
LABELS = ["positive"] * 30 + ["negative"] * 30
SMALL = {"units": 8, "embedding_dim": 8, "vocabulary_size": 300}
FIT = {"epochs": 16, "batch_size": 16, "learning_rate": 2e-2, "progress": False}

HARD = [
    "",
    "   \t\n",
    "\ud800 half of a pair",
    "NUL \x00 inside",
    "<br /><br />",
    "🙂" * 50,
    "word " * 3000,
    "x" * 10_000_000,
]


@pytest.fixture(scope="module")
def learned():
    task = SentimentClassifier(**SMALL)
    history = task.fit(TEXTS, LABELS, **FIT, seed=3)
    assert history.rows[-1]["loss"] < 0.5 * history.rows[0]["loss"]
    return task


def test_it_learns_and_predicts(learned):
    predictions = learned.predict(TEXTS)
    assert np.mean([p.label == label for p, label in zip(predictions, LABELS, strict=True)]) > 0.9
    assert learned.labels == ["negative", "positive"]
    first = predictions[0]
    assert first.probability == first.probabilities[first.label] == max(first.probabilities.values())
    np.testing.assert_allclose(sum(first.probabilities.values()), 1)
    assert first.to_dict()["label"] == first.label
    assert str(first) == f"{first.label}  {first.probability:.3f}"


def test_order_and_batches_change_nothing(learned):
    alone = np.concatenate([learned.predict_proba([text]) for text in TEXTS[:12]])
    np.testing.assert_allclose(learned.predict_proba(TEXTS[:12], batch_size=5), alone, atol=1e-6)
    assert learned.predict([]) == []
    done = []
    learned.predict(TEXTS, batch_size=16, progress=done.append)
    assert done == [16, 32, 48, 60]


def test_hard_texts_get_answers(learned):
    predictions = learned.predict(HARD)
    assert len(predictions) == len(HARD)
    assert all(np.isfinite(p.probability) for p in predictions)


def test_evaluate(learned):
    metrics = learned.evaluate(TEXTS, LABELS)
    assert set(metrics) == {"accuracy", "macro_f1", "roc_auc", "log_loss", "calibration_error"}
    assert metrics["accuracy"] > 0.9
    with pytest.raises(UserError, match=r"labels\[1\]: 'great'"):
        learned.evaluate(TEXTS[:2], ["positive", "great"])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_preset_round_trip(learned, tmp_path, dtype):
    folder = learned.save_to_preset(tmp_path / "mine", dtype=dtype)
    again = SentimentClassifier.from_preset(folder)
    tolerance = 0 if dtype == "float32" else 5e-3
    np.testing.assert_allclose(again.predict_proba(TEXTS), learned.predict_proba(TEXTS), atol=tolerance)
    assert isinstance(zoo.tasks.from_preset(folder), SentimentClassifier)
    with pytest.raises(PresetError, match="exists"):
        learned.save_to_preset(folder)


def test_a_preset_is_trained_further(learned, tmp_path):
    task = SentimentClassifier.from_preset(learned.save_to_preset(tmp_path / "mine"))
    before = task.evaluate(TEXTS, LABELS)["log_loss"]
    task.fit(TEXTS, LABELS, **FIT)
    assert task.evaluate(TEXTS, LABELS)["log_loss"] < before


def test_other_labels_replace_the_head_and_it_is_said(learned, tmp_path):
    task = SentimentClassifier.from_preset(learned.save_to_preset(tmp_path / "mine"))
    kept = keras.ops.convert_to_numpy(task.network.get_layer("embedding").embeddings)
    with pytest.warns(UserWarning, match="the last layer is new: the data's labels are bad, good, so"):
        task.fit(TEXTS, ["good", "bad", "so"] * 20, epochs=1, learning_rate=0.0, progress=False)
    assert task.labels == ["bad", "good", "so"]
    assert task.predict_proba(TEXTS[:2]).shape == (2, 3)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(task.network.get_layer("embedding").embeddings), kept
    )


def test_groups_sum_classes(tmp_path):
    task = SentimentClassifier(labels=["negative", "positive"], groups=[[0, 1], [3, 4]], **SMALL)
    distributions = np.zeros((60, 5))
    distributions[:30, 3:] = 0.5
    distributions[30:, :2] = 0.5
    task.fit(TEXTS, distributions, **FIT)
    assert task.evaluate(TEXTS, LABELS)["accuracy"] > 0.9
    logits = task.network.predict_on_batch(task.preprocessor.pad(task.preprocessor(TEXTS[:1])))[0].astype(
        float
    )
    p = np.exp(logits)
    expected = p[3:].sum() / (p[:2].sum() + p[3:].sum())
    np.testing.assert_allclose(task.predict_proba(TEXTS[:1])[0, 1], expected, rtol=1e-5)
    again = SentimentClassifier.from_preset(task.save_to_preset(tmp_path / "five"))
    np.testing.assert_array_equal(again.predict_proba(TEXTS), task.predict_proba(TEXTS))
    again.fit(TEXTS, LABELS, epochs=1, progress=False)  # labels, where it was trained on classes
    assert again.network.output_shape == (None, 5)


def test_a_classifier_answers_by_the_classes_that_its_labels_sum_up(tmp_path):
    labels = Labels(["negative", "positive"], groups=[[0, 1], [3, 4]], class_names=list("vwxyz"))
    task = SentimentClassifier(labels=labels, **SMALL)
    task.fit(TEXTS, LABELS, epochs=1, progress=False)
    degrees = SentimentClassifier.from_preset(task.save_to_preset(tmp_path / "named")).by_class()
    assert degrees.labels == list("vwxyz")
    np.testing.assert_array_equal(degrees.predict_proba(TEXTS), task.class_probabilities(TEXTS))
    best = task.class_probabilities(TEXTS).argmax(axis=1)
    assert [answer.label for answer in degrees.predict(TEXTS)] == ["vwxyz"[number] for number in best]
    assert task.labels == ["negative", "positive"]
    assert task.by_class().network is task.network


@pytest.mark.parametrize("cell", sorted(CATALOGUE))
def test_any_cell(cell):
    task = SentimentClassifier(cell, layers=2, pooling="attention", **SMALL)
    task.fit(
        TEXTS,
        LABELS,
        epochs=1,
        progress=False,
        subword_sampling=0.2,
        averaging=0.9,
        class_weight={"positive": 2},
    )
    assert task.network.config["cell"] == cell
    assert np.isfinite(task.predict_proba(TEXTS[:3])).all()


def test_word_vectors_frozen_and_tuned(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("film 1 2 3\ngood 4 5 6\n", encoding="utf-8")
    for trainable in (False, True):
        task = SentimentClassifier(
            word_vectors=path, embedding_trainable=trainable, units=4, vocabulary_size=300
        )
        task.fit(["a good film", "a bad film"] * 8, ["p", "n"] * 8, epochs=1, progress=False)
        table = keras.ops.convert_to_numpy(task.network.get_layer("embedding").embeddings)
        row = task.preprocessor(["film"])[0]
        assert table.shape[1] == 3
        assert (len(row) > 1) or (np.allclose(table[row[0]], [1, 2, 3]) != trainable)


@pytest.mark.parametrize(
    ("texts", "labels", "options", "message"),
    [
        ([], [], {}, "at least one text"),
        (["a"], ["x", "y"], {}, "1 texts but 2 labels"),
        (["a", "b"], ["x", "x"], {}, "the only label is 'x'"),
        (["a b c d e", "b"], ["x", "y"], {"schedule": "square"}, "schedule"),
        (["a b c d e", "b"], np.array([[np.nan, 1.0], [0.0, 1.0]]), {}, "finite"),
        (["a b c d e", "b"], np.eye(2), {}, "name the labels"),
        (["a"], ["x"], {"adversarial": -1}, "adversarial: got -1; give a number of at least 0"),
        (["a"], ["x"], {"virtual_adversarial": float("nan")}, "virtual_adversarial: got nan"),
        (["a"], ["x"], {"label_smoothing": 1}, "label_smoothing: got 1; .* at least 0, below 1"),
        (["a"], ["x"], {"subword_sampling": -0.1}, "subword_sampling: got -0.1"),
    ],
)
def test_fit_refuses(texts, labels, options, message):
    with pytest.raises(UserError, match=message):
        SentimentClassifier(**SMALL).fit(texts, labels, progress=False, **options)


def test_constructor_refuses():
    with pytest.raises(UserError, match="unknown argument 'unitz'"):
        SentimentClassifier(unitz=3)
    with pytest.raises(UserError, match="labels"):
        SentimentClassifier(labels=["a"])
    with pytest.raises(UserError, match="call fit"):
        SentimentClassifier().predict(["a"])
    with pytest.raises(UserError, match="nothing yet"):
        SentimentClassifier().save_to_preset("never_made")
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        SentimentClassifier("lsmt", **SMALL).fit(TEXTS, LABELS, progress=False)


def altered(learned, tmp_path, **network):
    """A preset like that of `learned`, but for some numbers of its network."""
    original = zoo.presets.read(learned.save_to_preset(tmp_path / "original"))
    config = {key: value for key, value in original.config.items() if key != "format"}
    config["network"] = {**config["network"], **network}
    return zoo.presets.write(
        tmp_path / "altered",
        config=config,
        preprocessor=original.preprocessor,
        assets=original.assets,
        weights={"embedding/embeddings": np.zeros((3, 2), "float32")},
        card="# altered\n",
        metadata={"application": "sentiment"},
    )


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"units": "8"}, "network.units"),
        ({"cell": "os.system"}, "network.cell"),
        ({"module": "os"}, "module"),
        ({"pooling": "everything"}, "pooling"),
        ({"num_classes": 3}, "num_classes"),
        ({"vocabulary_size": 4}, "vocabulary_size"),
        ({"units": 8192, "layers": 60}, "parameters"),
        ({"units": 9}, "model.weights.h5"),
    ],
)
def test_foreign_presets_are_refused_before_anything_is_allocated(learned, tmp_path, network, message):
    with pytest.raises(UserError, match=message):
        SentimentClassifier.from_preset(altered(learned, tmp_path, **network))
    assert not global_state.get_global_attribute(
        "uninitialized_variables"
    )  # none is left for Keras to allocate


def test_unknown_presets_suggest_names():
    with pytest.raises(PresetError):
        SentimentClassifier.from_preset("sentiment_sst2_english")


# --- several labels, class weights, what validation data choose -----------------------------------------------

MANY = [[label, "short"] if len(text) < 40 else [label] for text, label in zip(TEXTS, LABELS, strict=True)]


def test_several_labels_a_text(tmp_path):
    task = SentimentClassifier(**SMALL)
    labels = [[] if row % 10 == 0 else names for row, names in enumerate(MANY)]
    history = task.fit(TEXTS, labels, validation_data=(TEXTS, labels), **FIT, class_weight="balanced", seed=3)
    assert task.labels == ["negative", "positive", "short"]
    assert task.meaning.multi_label
    assert history.best_score == max(row["val_micro_f1"] for row in history.rows)
    metrics = task.evaluate(TEXTS, labels)
    assert list(metrics) == ["micro_f1", "macro_f1", "subset_accuracy", "log_loss", "calibration_error"]
    assert metrics["micro_f1"] > 0.8
    logits = task.network.predict_on_batch(task.preprocessor.pad(task.preprocessor(TEXTS[:1])))[0]
    np.testing.assert_allclose(
        task.predict_proba(TEXTS[:1])[0], 1 / (1 + np.exp(-logits.astype(float))), rtol=1e-4
    )
    answer = task.predict(TEXTS[:1])[0]
    assert answer.labels == tuple(name for name, p in answer.probabilities.items() if p >= 0.5)
    chosen = task.find_thresholds(TEXTS, labels)
    assert list(chosen) == task.labels
    assert task.evaluate(TEXTS, labels)["macro_f1"] >= metrics["macro_f1"]
    again = SentimentClassifier.from_preset(task.save_to_preset(tmp_path / "several"))
    assert again.meaning == task.meaning
    assert again.evaluate(TEXTS, labels) == task.evaluate(TEXTS, labels)
    with pytest.raises(UserError, match="takes a list of labels for each text"):
        again.evaluate(TEXTS, LABELS)
    with pytest.warns(
        UserWarning, match=r"negative, positive, the model's were .* \(any number for each text\)"
    ):
        again.fit(TEXTS, LABELS, epochs=1, progress=False)
    assert not again.meaning.multi_label


def test_calibration_and_thresholds_are_kept(learned, tmp_path):
    task = SentimentClassifier.from_preset(learned.save_to_preset(tmp_path / "mine"))
    generator = np.random.default_rng(0)
    said = [label if generator.uniform() < 0.8 else "positive" for label in LABELS]
    before, answers = task.evaluate(TEXTS, said), task.predict(TEXTS)
    temperature = task.calibrate(TEXTS, said)
    after = task.evaluate(TEXTS, said)
    assert temperature == task.meaning.temperature != 1
    assert after["log_loss"] < before["log_loss"]
    assert (after["accuracy"], after["roc_auc"]) == (before["accuracy"], pytest.approx(before["roc_auc"]))
    assert [answer.label for answer in task.predict(TEXTS)] == [answer.label for answer in answers]
    for metric, name in (("accuracy", "accuracy"), ("f1", "macro_f1")):
        chosen = task.find_thresholds(TEXTS, said, metric=metric)
        assert list(chosen) == ["positive"]
        assert task.evaluate(TEXTS, said)[name] >= after[name]
    assert task.calibrate(TEXTS, said) == pytest.approx(
        temperature
    )  # of the logits, not of what it made of them
    again = SentimentClassifier.from_preset(task.save_to_preset(tmp_path / "calibrated"))
    assert again.meaning == task.meaning
    np.testing.assert_array_equal(again.predict_proba(TEXTS), task.predict_proba(TEXTS))
    again.fit(TEXTS, LABELS, epochs=1, progress=False)
    assert (again.meaning.temperature, again.meaning.thresholds) == (1.0, None)
    with pytest.raises(UserError, match="at least one text"):
        task.calibrate([], [])
    with pytest.raises(UserError, match="threshold: unknown metric 'auc'"):
        task.find_thresholds(TEXTS, said, metric="auc")


def test_class_weights_weigh_texts():
    """Weights of labels are the same as weights of their texts."""
    tasks = [SentimentClassifier(**SMALL, seed=1) for _ in range(3)]
    texts, labels = TEXTS[:40], LABELS[:40]  # thirty and ten
    options = {"epochs": 1, "progress": False, "batch_size": 8}
    tasks[0].fit(texts, labels, class_weight="balanced", **options)
    tasks[1].fit(texts, labels, class_weight={"positive": 40 / 60, "negative": 2}, **options)
    weights = np.array([40 / 60 if label == "positive" else 2 for label in labels])
    tasks[2].fit(texts, labels, sample_weight=weights, **options)
    first, *others = (task.predict_proba(TEXTS) for task in tasks)
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-6)
    with pytest.raises(UserError, match="class_weight: unknown label 'positif'"):
        tasks[0].fit(texts, labels, class_weight={"positif": 2}, **options)


def test_several_labels_and_an_adversary():
    task = SentimentClassifier(**SMALL, seed=1)
    options = {"adversarial": 0.1, "virtual_adversarial": 0.1, "unlabelled": TEXTS[:20]}
    history = task.fit(TEXTS, MANY, **FIT, **options, class_weight="balanced")
    assert history.rows[-1]["loss"] < history.rows[0]["loss"]
    assert task.evaluate(TEXTS, MANY)["micro_f1"] > 0.8
