"""The report of a translator: its numbers equal sacreBLEU's, its files are there, its examples are what they say."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass

import numpy as np
import pytest
import sacrebleu

from applications.translation import report
from applications.translation.data import Pairs, load
from zoo import UserError

WORDS = dict(zip("der die das hund katze haus sieht liebt hat klein gross rot".split(),
                 "the the the dog cat house sees loves has small big red".split(), strict=True))  # fmt: skip


@dataclass
class FakeAlignment:
    source: list[str]
    target: list[str]
    weights: np.ndarray
    text: str

    def to_dict(self):
        return {**asdict(self), "weights": self.weights.tolist()}


class FakeTask:
    """Looks words up and forgets every fifth one; its likelihoods are known."""

    source_language, target_language = "de", "en"
    attends = True

    def __init__(self):
        self.asked = []

    def preprocessor(self, texts):
        return [np.arange(len(text.split()) + 1) for text in texts]

    def translate(self, texts, **search):
        self.asked.append(search)
        found = [[WORDS.get(word, word) for word in text.split()] for text in texts]
        return [" ".join(word for place, word in enumerate(words) if place % 5 != 4) for words in found]

    def score(self, sources, targets):
        return np.array([-0.5 * (len(text.split()) + 1) for text in targets])

    def align(self, source, target=None):
        if not self.attends:
            raise UserError("align: this network has no attention")
        sides = [[f"▁{word}" for word in text.split()] + ["</s>"] for text in (source, target)]
        weights = np.full((len(sides[1]), len(sides[0])), 1 / len(sides[0]))
        return FakeAlignment(*sides, weights, target)


def sample(count: int = 60, seed: int = 0, source: str = "own.tsv") -> Pairs:
    """Return sentences of 2 to 24 words; every third one has a second reference."""
    generator = np.random.default_rng(seed)
    sources, references = [], []
    for number in range(count):
        words = generator.choice(list(WORDS), generator.integers(2, 25))
        right = " ".join(WORDS[word] for word in words)
        sources.append(" ".join(words))
        references.append([right, right.upper()] if number % 3 == 0 else [right])
    return Pairs(sources, references, "de", "en", source, "test")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run" / "report"
    test = sample()
    train = Pairs(test.sources[:10], [["nothing"]] * 10, "de", "en", "own.tsv", "train")
    history = [{"epoch": 1, "loss": 3.0, "val_bleu": 5.0}, {"epoch": 2, "loss": 2.0, "val_bleu": 9.0}]
    return folder, report.write(FakeTask(), test, folder, train=train, history=history), test, train


def test_files(written):
    folder, found, test, _ = written
    drawn = [f"attention_{place}{suffix}" for place in (1, 2, 3) for suffix in (".json", ".png", ".svg")]
    assert sorted(path.name for path in folder.iterdir()) == [
        *drawn,
        "bleu_by_length.png",
        "report.json",
        "report.md",
        "training_curves.png",
        "translations.txt",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    assert json.loads((folder / "report.json").read_text("utf-8")) == json.loads(json.dumps(found))
    assert (folder / "translations.txt").read_text("utf-8").splitlines() == FakeTask().translate(test.sources)
    page = (folder / "report.md").read_text("utf-8")
    for name in ("bleu_by_length", "training_curves", "attention_1", "attention_3"):
        assert f"({name}.png)" in page
    low, high = found["intervals"]["bleu"]
    assert f"| bleu | {found['metrics']['bleu']:.3f} | {low:.1f} to {high:.1f} |" in page
    assert f"BLEU|{found['bleu_signature']}" in page
    assert "leaves out the pairs of which a side occurs in the training data: 50 of 60 are left" in page
    assert (
        "\nde to en, 60 sentences, with up to 2 references each; beam 5, length penalty 1, coverage" in page
    )


def test_numbers_equal_sacrebleu(written):
    _, found, test, train = written
    translations = FakeTask().translate(test.sources)
    most = [[one[0] for one in test.references], [(*one, None)[1] for one in test.references]]
    assert found["metrics"]["bleu"] == pytest.approx(sacrebleu.corpus_bleu(translations, most).score)
    assert found["metrics"]["chrf"] == pytest.approx(sacrebleu.corpus_chrf(translations, most).score)
    assert found["metrics"]["log_loss"] == pytest.approx(0.5)
    rest = sacrebleu.corpus_bleu(translations[10:], [one[10:] for one in most])
    assert found["metrics"]["bleu_unseen"] == pytest.approx(rest.score)
    assert report.evaluate(FakeTask(), test, train=train) == found["metrics"]
    metric = sacrebleu.BLEU()
    score = metric.corpus_score(translations, most, n_bootstrap=1000)
    assert f"bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}" in str(
        metric.get_signature()
    )
    assert found["bleu_signature"] == str(metric.get_signature())
    assert np.diff(found["intervals"]["bleu"]) / 2 == pytest.approx(score._ci, abs=1e-3)
    assert found["intervals"]["bleu"][0] < score._mean < found["intervals"]["bleu"][1]
    assert found["length_ratio"] == pytest.approx(score.sys_len / score.ref_len)
    assert found["brevity_penalty"] == pytest.approx(score.bp)


def test_lengths_hold_all_pairs(written):
    _, found, test, _ = written
    rows = found["by_length"]
    assert sum(row["count"] for row in rows) == 60
    assert [row["words"] for row in rows] == ["1–4", "5–6", "7–8", "9–10", "11–13", "14–16", "17–20", "21–30"]
    chosen = [place for place, text in enumerate(test.sources) if 17 <= len(text.split()) <= 20]
    row = next(row for row in rows if row["words"] == "17–20")
    part = test.take(chosen)
    expected = report.evaluate(FakeTask(), part)
    assert row["count"] == len(chosen)
    assert (row["bleu"], row["chrf"]) == pytest.approx((expected["bleu"], expected["chrf"]))
    assert row["bleu_low"] < row["bleu"] < row["bleu_high"]
    first = rows[0]
    assert (first["bleu"], first["length_ratio"]) == pytest.approx((100, 1))  # nothing was forgotten


def test_examples_are_good_middling_and_bad(written):
    _, found, test, _ = written
    rows = found["examples"]
    assert [row["kind"] for row in rows] == [kind for kind in ("good", "middling", "bad") for _ in range(5)]
    assert [row["chrf"] for row in rows] == sorted((row["chrf"] for row in rows), reverse=True)
    translations = FakeTask().translate(test.sources)
    each = [
        sacrebleu.sentence_chrf(found, wanted).score
        for found, wanted in zip(translations, test.references, strict=True)
    ]
    assert rows[-1]["chrf"] == pytest.approx(min(each))
    assert rows[0]["chrf"] == pytest.approx(max(each)) == 100
    lengths = [len(text) for text, score in zip(test.sources, each, strict=True) if score == rows[0]["chrf"]]
    assert len(rows[0]["source"]) == max(lengths)  # of the perfect ones the longest
    assert rows[7]["chrf"] == pytest.approx(np.median(each), abs=2)
    for row in rows:
        place = row["number"] - 1
        assert (row["source"], row["translation"]) == (test.sources[place], translations[place])
        assert row["references"] == test.references[place]
    assert [one["number"] for one in found["attention"]] == [rows[place]["number"] for place in (0, 5, 10)]


def test_few_pairs_and_no_attention(tmp_path):
    task = FakeTask()
    task.attends = False
    for count in (1, 2, 4):
        found = report.write(task, sample(count), tmp_path / str(count), beam=2, length_penalty=0.6)
        assert len(found["examples"]) == min(count, 3)
        assert len({row["number"] for row in found["examples"]}) == min(count, 3)
        assert found["attention"] == []
        assert "bleu_unseen" not in found["metrics"]
        assert found["unseen"] is None
        assert "## Attention" not in (tmp_path / str(count) / "report.md").read_text("utf-8")
    assert task.asked[-1] == {"beam": 2, "length_penalty": 0.6, "coverage_penalty": 0.0}


def test_an_earlier_report_is_replaced_and_other_files_stay(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "report.md").write_text("old")
    report.write(FakeTask(), sample(6), tmp_path)
    assert (tmp_path / "report.md").read_text("utf-8").startswith("# FakeTask on `own.tsv`, split `test`\n")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_nothing_is_written_if_drawing_fails(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(report.pictures, "by_length", fail)
    with pytest.raises(OSError, match="full"):
        report.write(FakeTask(), sample(6), tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def test_odd_texts(tmp_path):
    class Odd(FakeTask):
        def translate(self, texts, **search):
            return ["", "| *a* ` <b>\nnext", "lone \ud800", "x " * 500]

    sources = ["| good *bad* ` <b>", "これは", "$x_1^", "word " * 2000]
    pairs = Pairs(sources, [["right"], ["a | b"], ["c"], ["x " * 2000]], None, None, "own.tsv")
    found = report.write(Odd(), pairs, tmp_path)
    assert len((tmp_path / "translations.txt").read_text("utf-8").splitlines()) == 4
    assert max(len(row["source"]) for row in found["examples"]) == report.SHOWN + 1
    assert "| \\| \\*a\\* \\` \\<b> next |" in (tmp_path / "report.md").read_text("utf-8")
    assert [row["words"] for row in found["by_length"]] == ["1–4", "5–6", "51+"]
    assert len(found["attention"]) == 2  # not the empty one, not the long one


def test_nothing_right_at_all(tmp_path):
    pairs = Pairs(["haus", "hund"], [["zzz"], ["qqq"]], "de", "en", "own.tsv")
    found = report.write(FakeTask(), pairs, tmp_path)
    assert found["metrics"]["bleu"] == 0
    assert found["intervals"]["bleu"] == [0, 0]


@pytest.mark.parametrize(
    ("source", "expected"), [("multi30k:PATH", "none"), ("tatoeba:PATH", "13a"), ("a.tsv", "13a")]
)
def test_text_that_is_tokenised_is_not_tokenised_again(source, expected):
    pairs = sample(9, source=source)
    assert report.tokenization(pairs) == expected
    said = report.about(FakeTask(), pairs)
    version = sacrebleu.__version__
    assert said == {
        "bleu_signature": f"nrefs:var|case:mixed|eff:no|tok:{expected}|smooth:exp|version:{version}",
        "chrf_signature": f"nrefs:var|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{version}",
        "references": 2,
        "source_language": "de",
        "target_language": "en",
    }
    one = Pairs(["a"], [["a don't , b"]], "de", "en", source)
    assert report.about(FakeTask(), one)["bleu_signature"].startswith("nrefs:1|")


def test_tatoeba_is_measured_without_what_training_has_seen(tmp_path):
    (tmp_path / "train.tsv").write_text("big cat\tdie katze\nother\tder hund\n")
    (tmp_path / "test.tsv").write_text(
        "the cat\tdie katze\nthe big red dog\tder gross rot hund\nthe house\tdas haus\n"
    )
    test = load(f"tatoeba:{tmp_path}", "test")
    task = FakeTask()
    assert report.write(task, test, tmp_path / "report")["unseen"] == 2
    seen = load(f"tatoeba:{tmp_path}", "train")
    assert set(report.evaluate(task, seen)) == {"bleu", "chrf", "log_loss"}  # nothing is left


def test_what_cannot_be_measured(tmp_path):
    swapped = Pairs(["a"], [["b"]], "en", "de", "own.tsv")
    for pairs, message in (
        (swapped, "own.tsv: read as en to de, but the model translates de to en: swap"),
        (Pairs([], [], "de", "en", "own.tsv"), "own.tsv: found no translations"),
        (Pairs(["a"], None, "de", "en", "own.tsv"), "own.tsv: found no translations"),
    ):
        with pytest.raises(UserError, match=message):
            report.evaluate(FakeTask(), pairs)
        with pytest.raises(UserError, match=message):
            report.write(FakeTask(), pairs, tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def test_import_loads_no_backend():
    heavy = {"keras", "tensorflow", "matplotlib", "pandas"}
    code = f"import sys, applications.translation.report; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
