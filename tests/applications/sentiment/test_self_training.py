"""Self-training: unlabelled texts, their teachers, and a student; no network."""

import numpy as np
import pytest

from applications.core import recipes
from applications.sentiment import data, self_training
from applications.sentiment.recipes import RECIPES
from applications.sentiment.self_training import Teachers, load_unlabelled, soft_labels
from applications.sentiment.train import train
from zoo import presets
from zoo.errors import UserError
from zoo.tasks import Labels, SentimentClassifier

BINARY = Labels(["negative", "positive"])


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    recipe = recipes.override(RECIPES["tiny"], ["epochs=2"])
    return train(recipe, "builtin", tmp_path_factory.mktemp("teacher"), progress=False, report=False)


@pytest.fixture
def reviews(tmp_path):
    """Two reviews without labels."""
    file = tmp_path / "reviews.tsv"
    file.write_text(
        'text\nIt works. "It truly does!" I liked every minute of it.<br /><br />Go and see it now.\n'
        "Go and see it now. No? Dr. Who was better than this film\n",
        encoding="utf-8",
    )
    return str(file)


def nb_svm(names=self_training.NB_SVM, labels=BINARY):
    return Teachers(names, labels, *data.load_training("builtin"), seed=0)


def test_texts_without_labels_whole_and_in_sentences(reviews, tmp_path):
    assert len(load_unlabelled(reviews)) == 2
    assert load_unlabelled(reviews, sentences=True) == [
        '"It truly does!"',
        "I liked every minute of it.",
        "Go and see it now.",
        "Who was better than this film",
    ]
    for name in ("train", "unsup", "test"):
        fields = "x" if name == "unsup" else "1\t9\tx"
        (tmp_path / f"{name}.tsv").write_text(f"{fields}\tA text of {name}\n", encoding="utf-8")
    assert load_unlabelled(f"imdb:{tmp_path}") == ["A text of unsup"]
    assert len(load_unlabelled("builtin")) == len(data.load("builtin", "train"))


def test_the_mean_of_what_the_teachers_say(teacher):
    texts = data.load("builtin", "test").texts
    both = nb_svm(f"nb-svm, {teacher}").teach(texts)
    alone = [nb_svm().teach(texts), SentimentClassifier.from_preset(teacher).predict_proba(texts)]
    assert both.shape == (20, 2)
    assert both.dtype == "float32"
    np.testing.assert_allclose(both, np.mean(alone, axis=0), atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


def test_labels_are_kept_and_asked_again_where_they_are_others(tmp_path):
    teachers, asked = nb_svm(), []
    answer = teachers.teach
    teachers.teach = lambda texts: asked.append(len(texts)) or answer(texts)
    kept = tmp_path / "run/soft_labels.npz"
    texts = data.load("builtin", "test").texts
    first = soft_labels(teachers, texts, kept)
    np.testing.assert_array_equal(soft_labels(teachers, texts, kept), first)
    assert asked == [20]
    assert len(soft_labels(teachers, texts[:5], kept)) == 5
    teachers.names = ["another"]
    soft_labels(teachers, texts[:5], kept)
    assert asked == [20, 5, 5]
    assert [file.name for file in kept.parent.iterdir()] == [kept.name]


def test_a_student_learns_from_them(teacher, tmp_path):
    settings = ["epochs=1", "unlabelled=builtin", "unlabelled_examples=35", f"teachers=nb-svm,{teacher}"]
    out = tmp_path / "student"
    preset = train(recipes.override(RECIPES["tiny"], settings), "builtin", out, progress=False, report=False)
    metadata = presets.read(preset).metadata
    assert metadata["splits"] == {"train": 115, "validation": 20}
    assert metadata["recipe_values"]["teachers"] == f"nb-svm,{teacher}"
    assert (out / "soft_labels.npz").is_file()


def test_degrees_are_taught_as_degrees(tmp_path):
    for split in ("train", "dev"):
        good, bad = "(4 (2 a) (4 (3 good) (2 film)))\n", "(0 (2 a) (0 (1 bad) (2 film)))\n"
        (tmp_path / f"trees.{split}.txt").write_text((good + bad) * 10, encoding="utf-8")
    small = ["epochs=1", "units=4", "embedding_dim=4", "vocabulary_size=40", "phrases=true"]
    source, first = f"sst:{tmp_path}", recipes.override(RECIPES["tiny"], small)
    preset = train(first, source, tmp_path / "one", progress=False, report=False)
    teacher = SentimentClassifier.from_preset(preset)
    degrees = teacher.class_probabilities(["good film", "bad"])
    assert degrees.shape == (2, 5)
    np.testing.assert_allclose(degrees.sum(axis=1), 1)
    merged = np.stack([degrees[:, :2].sum(axis=1), degrees[:, 3:].sum(axis=1)], axis=1)
    teacher.meaning = teacher.meaning.forget()
    degrees = teacher.class_probabilities(["good film", "bad"])
    merged = np.stack([degrees[:, :2].sum(axis=1), degrees[:, 3:].sum(axis=1)], axis=1)
    merged /= merged.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(teacher.predict_proba(["good film", "bad"]), merged, atol=1e-6)
    assert teacher.class_probabilities([]).shape == (0, 5)
    second = recipes.override(first, [f"teachers={preset}", "unlabelled=builtin"])
    train(second, source, tmp_path / "two", progress=False, report=False)
    plain = train(
        recipes.override(RECIPES["tiny"], ["epochs=1"]),
        "builtin",
        tmp_path / "plain",
        progress=False,
        report=False,
    )
    five = recipes.override(RECIPES["tiny"], [*small, f"teachers={preset}", "unlabelled=builtin"])
    fine = train(five, source.replace("sst", "sst5", 1), tmp_path / "five", progress=False, report=False)
    assert SentimentClassifier.from_preset(fine).labels == list(data.DEGREES)
    for name in ("nb-svm", plain):
        with pytest.raises(UserError, match="has no degrees, which phrases=true learns; leave it out"):
            train(recipes.override(second, [f"teachers={name}"]), source, tmp_path / "x", progress=False)
    teachers = Teachers(str(preset), BINARY, *data.load_training("builtin"), seed=0)
    assert teachers.teach(["good film"]).shape == (1, 2)


def test_what_cannot_teach_is_told(teacher, tmp_path):
    with pytest.raises(UserError, match="has the labels negative, positive; the data have bad, good"):
        nb_svm(str(teacher), Labels(["bad", "good"]))
    with pytest.raises(UserError, match="teachers: found ' ,'; give runs or presets, or nb-svm"):
        nb_svm(" ,")
    with pytest.raises(UserError, match="teachers label unlabelled texts; name some"):
        train(recipes.override(RECIPES["tiny"], ["teachers=nb-svm"]), "builtin", tmp_path / "out")
    for name in ("examples", "unlabelled_examples"):
        with pytest.raises(UserError, match=f"{name}: got 0; give a number of at least 1"):
            train(recipes.override(RECIPES["tiny"], [f"{name}=0"]), "builtin", tmp_path / "out")
    assert not (tmp_path / "out").exists()
