"""The report: its numbers equal scikit-learn's, its files are there, its baselines are what they say."""

import json

import numpy as np
import pytest
import sklearn.metrics

from applications.core.datasets import TextDataset
from applications.sentiment import baselines, report
from zoo import UserError
from zoo.metrics import calibration_error, multi_label_metrics
from zoo.tasks import Labels

GOOD = "good fine lovely superb brilliant warm funny clever".split()
BAD = "bad poor awful dull weak stupid boring cheap".split()
WORDS = "the film was a story with some people and its end".split()
LABELS = ("negative", "positive")


class FakeTask:
    """Counts good and bad words; the probabilities are known."""

    meaning = Labels(LABELS)

    def predict_proba(self, texts):
        score = np.array([sum((word in GOOD) - (word in BAD) for word in text.split()) for text in texts])
        positive = 1 / (1 + np.exp(-0.8 * score - 0.1))
        return np.stack([1 - positive, positive], axis=1).astype("float32")

    def evaluate(self, texts, labels):
        return self.meaning.metrics(self.predict_proba(texts), self.meaning.truth(labels))


def sample(count: int, seed: int, labels=LABELS, noise: float = 0.1) -> TextDataset:
    """Return sentences with two words of their label's kind."""
    generator = np.random.default_rng(seed)
    texts, chosen = [], []
    for number in range(count):
        kind = number % len(labels)
        said = kind if generator.uniform() > noise else (kind + 1) % len(labels)
        words = [*generator.choice(WORDS, 6), *generator.choice((BAD, GOOD, WORDS)[said], 2)]
        texts.append(" ".join(generator.permutation(words)))
        chosen.append(labels[kind])
    return TextDataset(texts, chosen, "builtin", "test")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run" / "report"
    history = [{"epoch": 1, "loss": 0.7, "val_accuracy": 0.5}, {"epoch": 2, "loss": 0.5, "val_accuracy": 0.6}]
    test = sample(200, 1)
    found = report.write(FakeTask(), test, folder, train=sample(300, 0), history=history)
    return folder, found, test


def test_files(written):
    folder, found, _ = written
    assert sorted(path.name for path in folder.iterdir()) == [
        "accuracy.png",
        "confusion_matrix.png",
        "models.csv",
        "reliability.png",
        "report.json",
        "report.md",
        "training_curves.png",
    ]
    assert json.loads((folder / "report.json").read_text("utf-8")) == json.loads(json.dumps(found))
    page = (folder / "report.md").read_text("utf-8")
    for name in ("accuracy", "confusion_matrix", "reliability", "training_curves"):
        assert f"({name}.png)" in page
    for row in found["models"]:
        assert (
            f"| {row['model']} | {row['accuracy']:.4f} | {row['macro_f1']:.4f} | {row['roc_auc']:.4f} |"
            in page
        )


def test_numbers_equal_scikit_learn(written):
    _, found, test = written
    probabilities = FakeTask().predict_proba(test.texts)
    predicted = [LABELS[number] for number in probabilities.argmax(axis=1)]
    ours = found["models"][0]
    assert ours["model"] == "FakeTask"
    assert {name: ours[name] for name in ours if name != "model"} == found["metrics"]
    assert found["metrics"] == report.evaluate(FakeTask(), test)
    assert ours["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(test.labels, predicted))
    assert ours["macro_f1"] == pytest.approx(
        sklearn.metrics.f1_score(test.labels, predicted, average="macro")
    )
    expected = sklearn.metrics.confusion_matrix(test.labels, predicted, labels=LABELS)
    assert found["confusion"] == expected.tolist()
    assert (found["data"], found["split"], found["count"]) == ("builtin", "test", 200)


def test_worst_are_the_surest_mistakes(written):
    _, found, test = written
    probabilities = FakeTask().predict_proba(test.texts)
    worst = found["worst"]
    assert 0 < len(worst) <= report.WORST
    sure = [row["probability"] for row in worst]
    assert sure == sorted(sure, reverse=True)
    for row in worst:
        place = row["number"] - 1
        assert row["text"] == test.texts[place]
        assert row["label"] == test.labels[place] != row["predicted"]
        assert row["probability"] == pytest.approx(probabilities[place].max())
    mistakes = probabilities.argmax(axis=1) != [LABELS.index(label) for label in test.labels]
    assert sure[0] == pytest.approx(probabilities[mistakes].max())


def test_baselines_learn(written):
    _, found, _ = written
    names = [row["model"] for row in found["models"]]
    assert names == ["FakeTask", "TF-IDF + logistic regression", "NB-SVM"]
    for row in found["models"][1:]:
        assert 0.8 < row["accuracy"] <= 0.95  # a tenth of the labels is noise
        assert row["roc_auc"] > 0.8
        assert row["chosen"]["C"] in baselines.COSTS
        assert row["seconds"] >= 0


def test_without_training_data_there_are_no_baselines(tmp_path):
    found = report.write(FakeTask(), sample(20, 1), tmp_path / "report")
    assert [row["model"] for row in found["models"]] == ["FakeTask"]
    assert not (tmp_path / "report" / "accuracy.png").exists()
    assert not (tmp_path / "report" / "training_curves.png").exists()


def test_odd_texts(tmp_path):
    texts = ["| good *bad* ` <b>\n", "", "lone \ud800", "x " * 5000]
    found = report.write(FakeTask(), TextDataset(texts, ["negative"] * 4, "own.csv"), tmp_path)
    assert len(found["worst"]) == 4
    assert max(len(row["text"]) for row in found["worst"]) == report.SHOWN + 1
    page = (tmp_path / "report.md").read_text("utf-8")
    assert "| \\| good \\*bad\\* \\` \\<b> |" in page
    assert "roc_auc" not in found["models"][0]  # all examples are of one class


class Threshold(FakeTask):
    """The same, with a temperature and a threshold."""

    meaning = Labels(LABELS, temperature=2.0, thresholds=[0.3])


def test_thresholds_and_temperatures_are_told(tmp_path):
    test = sample(200, 1)
    found = report.write(Threshold(), test, tmp_path)
    probabilities = FakeTask().predict_proba(test.texts).astype("float64")
    truth = np.array([LABELS.index(label) for label in test.labels])
    answers = (probabilities[:, 1] >= 0.3).astype(int)
    assert found["models"][0]["accuracy"] == pytest.approx(np.mean(answers == truth))
    assert found["confusion"] == sklearn.metrics.confusion_matrix(truth, answers).tolist()
    sharper = probabilities**2 / (probabilities**2).sum(axis=1, keepdims=True)
    told = found["calibration"]
    assert told["calibration_error_before"] == pytest.approx(calibration_error(sharper, truth), abs=1e-6)
    assert told["calibration_error"] == pytest.approx(calibration_error(probabilities, truth), abs=1e-6)
    assert told["log_loss_before"] == pytest.approx(sklearn.metrics.log_loss(truth, sharper), abs=1e-6)
    assert [row.get("threshold") for row in found["per_label"]] == [None, 0.3]
    expected = sklearn.metrics.f1_score(truth, answers, average=None)
    assert [row["f1"] for row in found["per_label"]] == pytest.approx(expected.tolist())
    page = (tmp_path / "report.md").read_text("utf-8")
    assert "The temperature 2.000 takes the calibration error from" in page
    assert "'positive' is answered from a probability of 0.300 on." in page
    for row in found["worst"]:
        assert row["probability"] == pytest.approx(
            probabilities[row["number"] - 1][LABELS.index(row["predicted"])]
        )


class SeveralTask:
    """Says of each text which kinds of words it holds."""

    meaning = Labels(["bad", "good", "short"], multi_label=True)

    def predict_proba(self, texts):
        words = [set(text.split()) for text in texts]
        rows = [[len(found & set(BAD)), len(found & set(GOOD)), 2 * (len(found) < 5)] for found in words]
        return 1 / (1 + np.exp(1.1 - np.array(rows)))

    def evaluate(self, texts, labels):
        return self.meaning.metrics(self.predict_proba(texts), self.meaning.truth(labels))


def several(count: int, seed: int) -> TextDataset:
    """Return texts of which a few have no label, and some two."""
    plain = sample(count, seed, noise=0.0)
    generator = np.random.default_rng(seed)
    labels = [
        tuple(name for name, held in (("bad", set(text.split()) & set(BAD)), ("good", set(text.split()) & set(GOOD)))
              if held and generator.uniform() < 0.9)
        for text in plain.texts
    ]  # fmt: skip
    return TextDataset(plain.texts, labels, "own.csv", "test")


def test_several_labels_a_text(tmp_path):
    test = several(150, 1)
    found = report.write(SeveralTask(), test, tmp_path / "report", train=several(200, 0))
    task = SeveralTask()
    probabilities = task.predict_proba(test.texts)
    truth, answers = task.meaning.truth(test.labels), probabilities >= 0.5
    expected = multi_label_metrics(probabilities, truth, answers)
    assert {name: found["models"][0][name] for name in expected} == pytest.approx(expected)
    assert report.evaluate(task, test) == pytest.approx(expected)
    assert found["confusion"] is None
    assert not (tmp_path / "report/confusion_matrix.png").exists()
    assert (tmp_path / "report/micro_f1.png").exists()
    assert [row["examples"] for row in found["per_label"]] == truth.sum(axis=0).tolist()
    each = sklearn.metrics.f1_score(truth, answers, average=None, zero_division=np.nan)
    np.testing.assert_allclose([row["f1"] for row in found["per_label"]], each)
    for row in found["models"][1:]:
        assert row["micro_f1"] > 0.85
    for row in found["worst"]:
        place = row["number"] - 1
        assert row["label"] == ", ".join(test.labels[place]) != row["predicted"]
        mistaken = answers[place] != truth[place]
        assert row["probability"] == pytest.approx(
            np.maximum(probabilities, 1 - probabilities)[place][mistaken].max()
        )
    page = (tmp_path / "report/report.md").read_text("utf-8")
    assert "## Label by label" in page
    assert "The standard error of the first subset accuracy" in page
    assert json.loads((tmp_path / "report/report.json").read_text("utf-8"))["models"][0] == found["models"][0]


def test_one_label_where_several_are_meant():
    with pytest.raises(UserError, match=r"builtin: has one label for each text, .* by --label-separator"):
        report.evaluate(SeveralTask(), sample(4, 0))
    with pytest.raises(UserError, match=r"own.csv: has a list of labels for each text, the model gives one"):
        report.evaluate(FakeTask(), several(4, 0))
    with pytest.raises(UserError, match="text 1 has the label 'ugly'"):
        report.evaluate(SeveralTask(), TextDataset(["a"], [("bad", "ugly")], "own.csv"))


def test_very_many_labels_get_no_confusion(tmp_path):
    class Many:
        meaning = Labels([f"label {number}" for number in range(report.CONFUSED + 1)])

        def predict_proba(self, texts):
            return np.random.default_rng(0).dirichlet(np.ones(len(self.meaning.names)), size=len(texts))

    found = report.write(Many(), TextDataset(["a", "b"], ["label 1", "label 7"], "own.csv"), tmp_path)
    assert found["confusion"] is None
    assert len(found["per_label"]) == report.CONFUSED + 1
    assert "## Confusion" not in (tmp_path / "report.md").read_text("utf-8")


@pytest.mark.parametrize("labels", [None, ["negative", "neutral"]])
def test_labels_that_cannot_be_measured(labels, tmp_path):
    dataset = TextDataset(["a", "b"], labels, "own.csv")
    message = "own.csv: has no labels" if labels is None else "own.csv: text 2 has the label 'neutral'"
    with pytest.raises(UserError, match=message):
        report.evaluate(FakeTask(), dataset)
    with pytest.raises(UserError, match=message):
        report.write(FakeTask(), dataset, tmp_path / "report")
    assert not (tmp_path / "report").exists()


class ByDegree(FakeTask):
    """Knows good from bad by three degrees."""

    meaning = Labels(LABELS, [[0], [2]], class_names=["negative", "neutral", "positive"])

    def predict_proba(self, texts):
        bad, good = super().predict_proba(texts).T
        degrees = np.stack([bad, np.where(abs(good - bad) < 0.3, 2, 0), good], axis=1)
        return self.meaning.probabilities(np.log(degrees + 1e-9))

    def by_class(self):
        other = ByDegree()
        other.meaning = self.meaning.by_class()
        return other


def test_data_with_the_classes_are_measured_by_class(tmp_path):
    three = sample(90, 2, ("negative", "positive", "neutral"), noise=0)
    assert report.evaluate(ByDegree(), three)["accuracy"] == 1
    written = report.write(ByDegree(), three, tmp_path / "report")
    assert written["labels"] == ["negative", "neutral", "positive"]
    assert report.evaluate(ByDegree(), sample(90, 2, noise=0))["accuracy"] == 1
    assert report.write(ByDegree(), sample(90, 2), tmp_path / "two")["labels"] == list(LABELS)
    with pytest.raises(UserError, match="odd"):
        report.evaluate(ByDegree(), sample(90, 2, ("negative", "positive", "odd")))


# --- the baselines ---------------------------------------------------------------------------------------


def test_nb_svm_without_mixing_is_a_classifier_of_log_count_ratios():
    """β = 0 is multinomial naive Bayes on presence, up to a factor (Wang & Manning, 2012, section 2.1)."""
    from scipy import sparse
    from sklearn.naive_bayes import MultinomialNB

    generator = np.random.default_rng(0)
    presence = (generator.uniform(size=(60, 30)) < 0.3).astype(float)
    positive = generator.uniform(size=60) < 0.4
    mix = baselines._nb_svm(sparse.csr_matrix(presence), positive, 1.0)
    bayes = MultinomialNB(alpha=1.0).fit(presence, positive)
    log_odds = np.diff(bayes.predict_joint_log_proba(presence), axis=1)[:, 0]
    prior = np.log((positive.sum() + 1) / ((~positive).sum() + 1)) - np.diff(bayes.class_log_prior_)[0]
    scores = mix(beta=0.0)(sparse.csr_matrix(presence))
    np.testing.assert_allclose(
        scores / (log_odds + prior), np.full(60, scores[0] / (log_odds[0] + prior)), rtol=1e-9
    )
    assert scores[0] / (log_odds[0] + prior) > 0


def test_baselines_of_three_classes():
    labels = ("negative", "positive", "neutral")
    rows = baselines.measure(
        sample(300, 0, labels), sample(150, 1, labels), Labels(labels), validation=sample(60, 2, labels)
    )
    for row in rows:
        assert row["accuracy"] > 0.7
        assert row["roc_auc"] > 0.8


def test_baselines_are_measured_once_and_chosen_elsewhere():
    """What is chosen does not depend on the test data."""
    train, validation = sample(200, 0), sample(80, 3)
    rows = [
        baselines.measure(train, sample(100, seed), Labels(LABELS), validation=validation) for seed in (4, 5)
    ]
    for one, other in zip(*rows, strict=True):
        assert one["chosen"] == other["chosen"]
        assert one["log_loss"] != other["log_loss"]


def test_baselines_where_training_lacks_a_class():
    train = TextDataset(sample(40, 0).texts, ["negative", "positive"] * 20, "own.csv")
    labels = ("negative", "positive", "neutral")
    for row in baselines.measure(train, sample(30, 1, labels), Labels(labels)):
        assert np.isfinite(row["log_loss"])


def test_baselines_are_the_same_every_time():
    rows = [baselines.measure(sample(120, 0), sample(60, 1), Labels(LABELS), seed=7) for _ in range(2)]
    for one, other in zip(*rows, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
