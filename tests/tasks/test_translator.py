"""A toy pair of languages, learned in seconds: word by word, in the opposite order."""

import json

import keras
import numpy as np
import pytest
from keras.src.backend.common import global_state

import zoo
from zoo.errors import UserError
from zoo.presets import PresetError
from zoo.tasks import Alignment, Translation, Translator

if keras.backend.backend() == "torch":
    import torch

    torch.set_num_threads(1)  # threads that wait for each other are slow where others work too

WORDS = dict(zip("ein zwei drei hund katze".split(), "one two three dog cat".split(), strict=True))


def pairs(count, seed=0, words=WORDS):
    """Sentences of one to four words, and their translations."""
    generator = np.random.default_rng(seed)
    drawn = [generator.choice(list(words), generator.integers(1, 5)) for _ in range(count)]
    return [" ".join(each) for each in drawn], [
        " ".join(words[word] for word in each[::-1]) for each in drawn
    ]


SOURCES, TARGETS = pairs(240)
TEXTS, REFERENCES = pairs(20, seed=1)
SMALL = {"units": 24, "embedding_dim": 16, "decoder_layers": 1, "vocabulary_size": 50}


@pytest.fixture(scope="module")
def learned():
    task = Translator(**SMALL, source_language="de", target_language="en")
    history = task.fit(
        SOURCES,
        TARGETS,
        validation_data=(TEXTS, [[each] for each in REFERENCES]),
        epochs=22,
        batch_size=40,
        learning_rate=2e-2,
        seed=3,
        average=2,
        progress=False,
    )
    last = history.rows[-1]
    assert last["loss"] < 0.1 * history.rows[0]["loss"]
    assert last["val_log_loss"] < 0.3
    assert history.best_score == max(row["val_bleu"] for row in history.rows) > 90
    assert last["val_chrf"] > 90
    return task


@pytest.fixture(scope="module")
def folder(learned, tmp_path_factory):
    return learned.save_to_preset(tmp_path_factory.mktemp("presets") / "mine")


@pytest.fixture(scope="module")
def loaded(folder):
    return Translator.from_preset(folder)


def scores(answers):
    return np.array([[each.score, each.log_probability] for answer in answers for each in answer])


def test_answers_do_not_depend_on_their_companions(learned):
    done = []
    found = learned.translate(TEXTS, batch_size=7, progress=done.append)
    assert done == [7, 14, 20]
    assert sum(one == two for one, two in zip(found, REFERENCES, strict=True)) >= 18
    assert found == learned.translate(TEXTS)
    assert found[:3] == [learned.translate([text])[0] for text in TEXTS[:3]]
    together = learned.translate(TEXTS, n_best=1)
    apart = learned.translate(TEXTS[::-1], n_best=1, batch_size=7)[::-1]
    assert [answer[0].text for answer in together] == [answer[0].text for answer in apart] == found
    np.testing.assert_allclose(scores(together), scores(apart), atol=1e-4)
    assert learned.translate([]) == []


def test_many_answers_are_sorted_and_have_their_probabilities(learned):
    plain = learned.translate(TEXTS)
    found = learned.translate(TEXTS, n_best=4)
    for text, answers in zip(plain, found, strict=True):
        assert answers[0].text == text
        assert 1 < len(answers) <= 4
        assert len({answer.text for answer in answers}) == len(answers)
        assert [answer.score for answer in answers] == sorted((a.score for a in answers), reverse=True)
    best = [answers[0] for answers in found]
    log_probabilities = learned.score(TEXTS, plain)
    np.testing.assert_allclose([each.log_probability for each in best], log_probabilities, atol=1e-3)
    lengths = np.array([len(ids) for ids in learned.preprocessor(plain)])
    np.testing.assert_allclose(
        [each.score for each in best], log_probabilities * 6 / (5 + lengths), atol=1e-3
    )
    assert best[0].to_dict() == {
        "text": plain[0],
        "score": best[0].score,
        "log_probability": best[0].log_probability,
    }
    assert str(best[0]) == plain[0]
    assert isinstance(best[0], Translation)


def test_what_a_greedy_search_finds_is_among_what_is_compared(learned):
    unsure = Translator(preprocessor=learned.preprocessor, units=8, embedding_dim=8, decoder_layers=1)
    narrow, wide, long, covering = (
        unsure.translate(TEXTS, n_best=1, **options)
        for options in (
            {"beam": 1},
            {"beam": 2},
            {"beam": 2, "length_penalty": 10},
            {"beam": 2, "coverage_penalty": 1},
        )
    )
    best = scores(wide)[:, 0]
    assert (best >= scores(narrow)[:, 0] - 1e-5).all()
    assert (best > scores(narrow)[:, 0] + 1e-3).any()
    assert (scores(covering)[:, 0] < best + 1e-5).all()
    assert sum(len(each[0].text) for each in long) > sum(len(each[0].text) for each in wide)


def test_what_is_drawn_follows_the_seed(learned):
    options = {"temperature": 3.0, "n_best": 3}
    one, same = (learned.translate(TEXTS, seed=1, batch_size=size, **options) for size in (64, 21))
    texts = [[answer.text for answer in answers] for answers in one]
    assert [[answer.text for answer in answers] for answers in same] == texts
    np.testing.assert_allclose(scores(one), scores(same), rtol=1e-4)
    other = learned.translate(TEXTS, seed=2, **options)
    assert sum(a[0].text != b[0].text for a, b in zip(one, other, strict=True)) > 5
    assert {len(answers) for answers in one} == {3}
    assert len({text for three in texts for text in three}) > 40
    assert [a.score for a in one[0]] == sorted((a.score for a in one[0]), reverse=True)
    assert learned.translate(TEXTS, temperature=0.01) == learned.translate(TEXTS, beam=1)


def test_the_log_loss_is_that_of_the_scores(learned, monkeypatch):
    references = [[each, "cat"] for each in REFERENCES]
    metrics = learned.evaluate(TEXTS, references, beam=1, batch_size=7)
    log_probabilities = learned.score(TEXTS, REFERENCES)
    assert log_probabilities.dtype == np.float64
    assert log_probabilities.shape == (20,)
    count = sum(map(len, learned.preprocessor(REFERENCES)))
    np.testing.assert_allclose(metrics["log_loss"], -log_probabilities.sum() / count, rtol=1e-5)
    assert (learned.score(TEXTS, REFERENCES[::-1]) <= log_probabilities + 1e-5).all()
    own = learned.translate(TEXTS, beam=1)
    perfect = learned.evaluate(
        TEXTS, [["hund", each] if row % 2 else each for row, each in enumerate(own)], beam=1
    )
    assert perfect["bleu"] == pytest.approx(100)
    assert perfect["chrf"] == pytest.approx(100)
    assert learned.score([], []).shape == (0,)
    monkeypatch.setattr("zoo.tasks.translator._TOKENS", 1)  # each text is a batch of its own
    alone = learned.score(TEXTS[:3], REFERENCES[:3])
    np.testing.assert_allclose(alone, log_probabilities[:3], atol=1e-4)


def test_alignment(learned):
    found = learned.align("ein hund katze")
    assert isinstance(found, Alignment)
    assert found.text == learned.translate(["ein hund katze"])[0]
    assert "".join(found.source) == "▁ein▁hund▁katze</s>"
    assert "".join(found.target[:-1]).replace("▁", " ").strip() == found.text
    assert found.target[-1] == "</s>"
    assert found.weights.shape == (len(found.target), len(found.source))
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-5)
    given = learned.align("ein hund katze", found.text)
    assert given.target == found.target
    np.testing.assert_allclose(given.weights, found.weights, atol=1e-5)
    other = learned.align("ein hund katze", "dog")
    assert other.text == "dog"
    again = json.loads(json.dumps(other.to_dict()))
    assert again["target"] == other.target
    np.testing.assert_allclose(again["weights"], other.weights, atol=1e-6)


def test_long_texts_are_cut_and_joined_again(loaded, monkeypatch):
    monkeypatch.setattr(loaded.preprocessor, "max_length", 5)
    text = "ein hund katze; zwei ein; " * 4 + "drei " * 9
    parts = loaded.preprocessor.parts(text)
    assert len(parts) > 9
    found = loaded.translate([TEXTS[0], text, TEXTS[1]])
    assert found == loaded.translate([TEXTS[0], " ".join(parts), TEXTS[1]])
    assert found[1] == " ".join(loaded.translate(parts))
    many = loaded.translate([text], n_best=2)[0]
    of_parts = loaded.translate(parts, n_best=2)
    for rank, answer in enumerate(many):
        assert answer.text == " ".join(each[rank].text for each in of_parts)
        np.testing.assert_allclose(answer.score, sum(each[rank].score for each in of_parts), rtol=1e-4)
        log_p = sum(each[rank].log_probability for each in of_parts)
        np.testing.assert_allclose(answer.log_probability, log_p, rtol=1e-4)
    done = []
    loaded.translate([text] * 4, beam=1, batch_size=30, progress=done.append)
    assert done[-1] == 4
    assert done == sorted(done)


def test_hard_texts_get_answers(learned):
    texts = ["<s>", "漢字", "NUL \0 inside", "\ud800 half of a pair", "🙂" * 50, "x" * 3000]
    found = learned.translate(texts, beam=1)
    assert len(found) == len(texts)
    assert all(isinstance(each, str) and "⁇" not in each for each in found)


def test_saved_and_loaded_it_says_the_same(learned, loaded, tmp_path):
    assert (loaded.source_language, loaded.target_language) == ("de", "en")
    assert loaded.translate(TEXTS) == learned.translate(TEXTS)
    np.testing.assert_array_equal(loaded.score(TEXTS, REFERENCES), learned.score(TEXTS, REFERENCES))
    half = learned.save_to_preset(tmp_path / "half", dtype="float16")
    again = zoo.tasks.from_preset(half)
    assert isinstance(again, Translator)
    assert again.translate(TEXTS) == learned.translate(TEXTS)
    np.testing.assert_allclose(again.score(TEXTS, REFERENCES), learned.score(TEXTS, REFERENCES), atol=0.05)


def test_pieces_drawn_anew_are_learned_from(folder):
    """They are others than the best ones, so another network comes of them; the same seed draws the same."""

    def trained(**options):
        task = Translator.from_preset(folder)
        task.fit(SOURCES[:40], TARGETS[:40], epochs=1, batch_size=20, seed=1, progress=False, **options)
        return task.score(TEXTS, REFERENCES)

    best, drawn, again = (trained(subword_sampling=share) for share in (0.0, 0.5, 0.5))
    np.testing.assert_array_equal(drawn, again)
    assert np.abs(best - drawn).max() > 1e-3


def test_a_preset_is_trained_further(folder):
    task = Translator.from_preset(folder)
    words = {**WORDS, "ein": "three", "drei": "one"}
    sources, targets = pairs(80, seed=2, words=words)
    network, before = task.network, task.evaluate(sources, targets, beam=1)
    history = task.fit(sources, targets, epochs=8, batch_size=40, learning_rate=1e-2, progress=False)
    assert task.network is network
    after = task.evaluate(sources, targets, beam=1)
    assert after["log_loss"] < 0.5 * before["log_loss"]
    assert after["bleu"] > before["bleu"]
    assert history.best_epoch == 8  # the last one, where nothing is validated


class Seen(keras.callbacks.Callback):
    """Remember the steps; break off at one of them."""

    def __init__(self, last=None):
        super().__init__()
        self.last, self.steps = last, []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append((self.epoch, batch))
        if self.steps[-1] == self.last:
            raise InterruptedError


def test_a_run_that_was_broken_off_goes_on(learned, tmp_path):
    """That it ends with the same weights, is tested where the fitting is."""

    def fit(callback, **changes):
        task = Translator(preprocessor=learned.preprocessor, units=6, embedding_dim=4, decoder_layers=1)
        options = {"epochs": 3, "batch_tokens": 250, "average": 2, "settings": {"recipe": 1}, **changes}
        return task.fit(
            SOURCES[:60], TARGETS[:60], out=tmp_path, callbacks=[callback], progress=False, **options
        )

    broken, rest = Seen((1, 1)), Seen()
    with pytest.raises(InterruptedError):
        fit(broken)
    history = fit(rest)
    assert broken.steps == [(0, batch) for batch in range(len(broken.steps) - 2)] + [(1, 0), (1, 1)]
    assert len(broken.steps) > 4  # so many tokens are several batches
    assert rest.steps[0][0] == 1
    assert [row["epoch"] for row in history.rows] == [1, 2, 3]
    assert history.rows[2]["loss"] < history.rows[0]["loss"]
    with pytest.raises(UserError, match="settings recipe 1, not 2"):
        fit(Seen(), settings={"recipe": 2})


def test_as_many_pairs_as_the_tokens_allow_are_a_batch(folder):
    seen = Seen()
    Translator.from_preset(folder).fit(
        SOURCES, TARGETS, epochs=1, batch_tokens=10_000, callbacks=[seen], progress=False
    )
    assert seen.steps == [(0, 0)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam: got 0; give a number of at least 1, at most 1000"),
        ({"length_penalty": -1}, "length_penalty: got -1"),
        ({"coverage_penalty": float("nan")}, "coverage_penalty: got nan"),
        ({"n_best": 0}, "n_best: got 0"),
        ({"n_best": 6}, "n_best: got 6 with beam 5; .* raise beam"),
        ({"temperature": 0}, r"temperature: got 0; give a number of at least 0\.001"),
        ({"temperature": 1, "coverage_penalty": 1}, "coverage_penalty: it ranks the hypotheses of a beam"),
        ({"beam": 1, "coverage_penalty": 1}, "coverage_penalty: it ranks the hypotheses of a beam"),
        ({"temperature": 1, "seed": -1}, "seed: got -1"),
        ({"texts": "ein"}, "texts: got one string; give a list"),
        ({"texts": ["ein", "zwei", " \u200b\n"]}, "texts: text 3 is blank; leave it out"),
    ],
)
def test_translate_refuses(learned, options, message):
    with pytest.raises(UserError, match=message):
        learned.translate(**{"texts": TEXTS, **options})


def test_the_others_refuse(learned):
    with pytest.raises(UserError, match="targets: 1 for 2 sources"):
        learned.score(["ein", "zwei"], ["one"])
    with pytest.raises(UserError, match="references: 1 for 2 sources"):
        learned.evaluate(["ein", "zwei"], ["one"])
    with pytest.raises(UserError, match="references: give at least one for each source"):
        learned.evaluate(["ein", "zwei"], [["one"], []])
    with pytest.raises(UserError, match="references: give at least one"):
        learned.evaluate([], [])
    with pytest.raises(UserError, match="text 2 is blank"):
        learned.evaluate(["ein", ""], ["one", "two"])
    with pytest.raises(UserError, match="unknown tokenize '13b': did you mean '13a'"):
        learned.evaluate(["ein"], ["one"], tokenize="13b")
    with pytest.raises(UserError, match="align: the text is blank"):
        learned.align(" ")
    bare = Translator(preprocessor=learned.preprocessor, attention="none", units=4)
    assert len(bare.translate(TEXTS[:2])) == 2  # it has learned nothing, and has no attention
    with pytest.raises(UserError, match="align: this network has no attention"):
        bare.align("ein")
    with pytest.raises(UserError, match="coverage_penalty: the network attends to nothing"):
        bare.translate(TEXTS[:2], coverage_penalty=1)


def test_the_constructor_refuses():
    with pytest.raises(UserError, match="unknown argument 'unitz'"):
        Translator(unitz=3)
    with pytest.raises(UserError, match="Translator: target_language: found 'en us'"):
        Translator(target_language="en us")
    for use in (lambda task: task.translate(["a"]), lambda task: task.save_to_preset("never_made")):
        with pytest.raises(UserError, match="learned nothing yet"):
            use(Translator())
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        Translator("lsmt", **SMALL).fit(SOURCES, TARGETS, progress=False)


@pytest.mark.parametrize(
    ("sources", "targets", "options", "message"),
    [
        ([], [], {}, "got 0 sources and 0 targets"),
        (["ein"], ["one", "two"], {}, "got 1 sources and 2 targets"),
        (SOURCES[:9], [*TARGETS[:8], " "], {}, "the target of pair 9 is blank"),
        (
            [*SOURCES[:8], "hund " * 100],
            TARGETS[:9],
            {},
            r"the source of pair 9 has \d+ ids; .* max_length=100 ids",
        ),
        (SOURCES, TARGETS, {"schedule": "square"}, "schedule"),
        (SOURCES, TARGETS, {"batch_tokens": 0}, "tokens: got 0"),
        (SOURCES, TARGETS, {"average": 0}, "average: got 0"),
        (SOURCES, TARGETS, {"epochs": 0}, "epochs: got 0"),
    ],
)
def test_fit_refuses(learned, sources, targets, options, message):
    task = Translator(preprocessor=learned.preprocessor, units=4, embedding_dim=4)
    with pytest.raises(UserError, match=message):
        task.fit(sources, targets, progress=False, **options)


@pytest.mark.parametrize(
    ("changes", "network", "message"),
    [
        ({"source_language": "d e"}, {}, "source_language"),
        ({}, {"units": "8"}, "network.units"),
        ({}, {"cell": "os.system"}, "network.cell"),
        ({}, {"attention": "aditive"}, "network.attention"),
        ({}, {"module": "os"}, "module"),
        ({}, {"heads": 7, "attention": "multi_head"}, "heads=7 do not divide units=24"),
        ({}, {"vocabulary_size": 9}, "vocabulary_size is not that of the tokenizer"),
        ({}, {"units": 8192, "encoder_layers": 60}, "parameters"),
        ({}, {"units": 9}, "model.weights.h5"),
    ],
)
def test_foreign_presets_are_refused_before_anything_is_allocated(
    folder, tmp_path, changes, network, message
):
    original = zoo.presets.read(folder)
    config = {key: value for key, value in original.config.items() if key != "format"} | changes
    altered = zoo.presets.write(
        tmp_path / "altered",
        config={**config, "network": {**config["network"], **network}},
        preprocessor=original.preprocessor,
        assets=original.assets,
        weights={"embedding/embeddings": np.zeros((3, 2), "float32")},
        card="# altered\n",
        metadata={"application": "translation"},
    )
    with pytest.raises(UserError, match=message):
        Translator.from_preset(altered)
    assert not global_state.get_global_attribute("uninitialized_variables")


def test_presets_of_other_tasks_are_refused(folder):
    with pytest.raises(PresetError, match="it holds a 'Translator'"):
        zoo.tasks.SentimentClassifier.from_preset(folder)
