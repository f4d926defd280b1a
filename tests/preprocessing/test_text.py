"""Cleaning and subwords: one string for what is typed and what a treebank holds, whatever the text is."""

import itertools
import lzma
import time

import numpy as np
import pytest

from zoo.errors import UserError
from zoo.preprocessing import TextPreprocessor, canonical

TEXTS = [
    "A stirring, funny and finally transporting film.",
    "It's the worst film that I've seen; it doesn't work.",
    "They presume their audience won't sit still (for a lesson)!",
    "A film -- a good one -- about love, memory and war...",
    'She said: "You can\'t stop me", and nobody could.',
] * 3

PAIRS = [  # as typed, as a treebank writes it
    ("It's a film that doesn't work (really)!", "it 's a film that does n't work -lrb- really -rrb- !"),
    ("“Wow”, he said.", "`` wow '' , he said ."),
    ("It’s clichéd — you cannot ‘like’ it…", "it 's cliched -- you can not ` like ' it ..."),
    ("The kids' toys, Mr. Lopez's U.S. film.", "the kids ' toys , mr. lopez 's u.s. film ."),
    ("We'd say they're '70s, and/or 1.5 [sic]?", "we 'd say they 're '70s , and\\/or 1.5 -lsb- sic -rsb- ?"),
    ("SHOULDN'T'VE", "should n't 've"),
    ("feel-good", "feel - good"),
    ("Oh no....", "oh no . . ."),
]
PLAIN = [
    ("good<br /><br />film", "good film"),
    ("<i>good</i> &amp; &quot;bad&quot; &#39;ok&#39;", "good & \" bad \" ' ok '"),
    ("a\0b\x07c\td\u200be", "a b c d e"),
    ("lone \ud800 and \udfff", "lone and"),
    ("won\u00adder\ufeffful", "wonderful"),
    ("ＦＵＬＬ ﬁlm", "full film"),
    ("end.The next, amazon.com 10.5", "end . the next , amazon . com 10.5"),
    ("o'clock rock'n'roll", "o'clock rock'n'roll"),
    ("great😀!!", "great 😀 ! !"),
    ("3 < 5 & a > b", "3 < 5 & a > b"),
    ("हिन्दी שלום Ω", "हिन्दी שלום ω"),
    ("", ""),
    (" \n\t\r\u3000 ", ""),
    ("&#99999999999; &nosuch; &#0;", "& # 99999999999 ; & nosuch ; \ufffd"),
]
PARTS = [
    *"'.-`<>;& \n",
    *(
        "n't",
        "'s",
        "N'T",
        "can",
        "not",
        "cannot",
        "..",
        "--",
        "-lrb-",
        "-RRB-",
        "``",
        "''",
        "a",
        "bb",
        "<br />",
    ),
    *(
        "&amp;",
        "&lt;",
        "\\",
        "é",
        "\u0301",
        "50",
        "'70s",
        "…",
        "—",
        "İ",
        "Σ",
        "½",
        "´",
        "¨",
        "_",
        "ß",
        "K",
        "'em",
    ),
]


@pytest.fixture(scope="module")
def preprocessor():
    return TextPreprocessor.train(TEXTS, vocabulary_size=64, max_length=40)


@pytest.mark.parametrize(("typed", "treebank"), PAIRS)
def test_typed_and_treebank_text_are_one(typed, treebank):
    assert canonical(typed) == canonical(treebank)


def test_canonical_is_the_treebank_form():
    assert canonical(PAIRS[0][0]) == "it 's a film that does n't work ( really ) !"


@pytest.mark.parametrize(("text", "expected"), PLAIN)
def test_canonical(text, expected):
    assert canonical(text) == expected


def test_canonical_keeps_case_and_accents_unless_told():
    assert canonical("It's CLICHÉD, cannot. N'T", lowercase=False) == "It 's CLICHÉD , can not . N'T"


@pytest.mark.parametrize("lowercase", [True, False])
def test_canonical_is_idempotent(lowercase):
    generator = np.random.default_rng(0)
    texts = [text for pair in PAIRS + PLAIN for text in pair]
    texts += ["".join(parts) for parts in itertools.product(PARTS, repeat=2)]
    texts += ["".join(generator.choice(PARTS, 6)) for _ in range(5000)]
    texts += [f"aa{chr(code)}'s" for code in range(0x3100)]
    for text in texts:
        once = canonical(text, lowercase)
        assert canonical(once, lowercase) == once, ascii(text)


def detokenize(text):
    """Write a treebank's sentence the way people type it, by hand-made rules."""
    text = (
        f" {text} ".replace(" -lrb- ", " (").replace(" -rrb- ", ") ").replace("\\/", "/").replace("\\*", "*")
    )
    for mark in ("n't", "'s", "'re", "'ve", "'ll", "'d", "'m", ",", ".", ";", ":", "!", "?", "...", ")"):
        text = text.replace(f" {mark} ", f"{mark} ")
    text = text.replace("`` ", "“").replace(" ''", "”").replace(" ` ", " ‘").replace("( ", "(")
    return text.replace(" -- ", " — ").replace("...", "…").strip().capitalize()


def test_canonical_over_sst(shared_data):
    with lzma.open(shared_data / "sentiment/sst/stsa.binary.train.txt.xz", "rt", encoding="utf-8") as file:
        texts = [line.rstrip("\n").partition(" ")[2] for line in file]
    assert len(texts) == 6920
    once = [canonical(text) for text in texts]
    assert [canonical(text) for text in once] == once
    typed = [detokenize(text) for text in texts]
    assert sum(typed[row] != texts[row] for row in range(6920)) > 6900
    unlike = [text for text, form in zip(typed, once, strict=True) if canonical(text) != form]
    assert len(unlike) == 1
    assert "‘em together" in unlike[0]  # the treebank has "` em", a slip


def test_same_ids_for_typed_and_treebank_text(preprocessor):
    for typed, treebank in PAIRS:
        one, other = preprocessor([typed, treebank])
        np.testing.assert_array_equal(one, other)


def test_ids_and_back(preprocessor):
    ids = preprocessor(["It doesn't work!"])[0]
    assert ids.dtype == np.int32
    assert ids.min() > 1
    assert preprocessor.detokenize(ids) == "it does n't work !"
    assert preprocessor.detokenize([*ids, 0, 0]) == "it does n't work !"
    with pytest.raises(UserError, match=r"found 64; they go from 0 to 63"):
        preprocessor.detokenize([64])
    with pytest.raises(UserError, match="one string"):
        preprocessor("It works")


def test_unknown_signs(preprocessor):
    ids = preprocessor(["漢"])[0]
    assert preprocessor.unknown_id in ids


@pytest.mark.parametrize("text", ["", " \n ", "\0", "\ud800", "\u200b", "<br />"])
def test_empty_text_is_one_unknown(preprocessor, text):
    assert preprocessor([text])[0].tolist() == [1]
    assert preprocessor([text], sample=np.random.default_rng(0))[0].tolist() == [1]


@pytest.mark.parametrize(
    "text", ["a" * 10_000_000, "!" * 10_000_000, " " * 10_000_000 + "good", "<" * 10_000_000]
)
def test_huge_text_is_cut_quickly(preprocessor, text):
    start = time.perf_counter()
    ids = preprocessor([text])[0]
    assert 1 <= len(ids) <= 40
    assert time.perf_counter() - start < 1


@pytest.fixture(scope="module", params=["head", "tail", "both"])
def cutting(request, preprocessor):
    """A truncation with a preprocessor that has it, and which of many ids stay."""
    chosen = {
        "head": lambda ids: ids[:5],
        "tail": lambda ids: ids[-5:],
        "both": lambda ids: np.concatenate([ids[:3], ids[-2:]]),
    }
    made = TextPreprocessor(preprocessor.model, max_length=5, truncation=request.param)
    return made, chosen[request.param]


def test_truncation_keeps_the_ids_it_says(cutting):
    made, chosen = cutting
    for text, ids in zip(TEXTS, made(TEXTS, whole=True), strict=True):
        assert len(ids) > 5
        assert ids[:5].tolist() != ids[-5:].tolist()
        np.testing.assert_array_equal(made([text])[0], chosen(ids))


def test_truncation_begins_where_the_length_ends(cutting):
    made, _ = cutting
    ids = made([TEXTS[0]], whole=True)[0]
    gone = {"head": len(ids) - 1, "tail": 0, "both": len(ids) // 2}[made.truncation]
    for length, expected in ((len(ids), ids), (len(ids) - 1, np.delete(ids, gone))):
        other = TextPreprocessor(made.model, max_length=length, truncation=made.truncation)
        np.testing.assert_array_equal(other([TEXTS[0]])[0], expected)
    one = TextPreprocessor(made.model, max_length=1, truncation=made.truncation)([TEXTS[0]])[0]
    assert one.tolist() == [ids[-1] if made.truncation == "tail" else ids[0]]


def test_truncation_of_drawn_pieces(cutting):
    made, chosen = cutting
    whole = made(TEXTS, sample=np.random.default_rng(4), whole=True)
    for ids, cut in zip(whole, made(TEXTS, sample=np.random.default_rng(4)), strict=True):
        np.testing.assert_array_equal(cut, chosen(ids))


@pytest.mark.parametrize("space", ["", " " * 10_000_000])
def test_truncation_reads_the_ends_of_a_huge_text(cutting, space):
    made, chosen = cutting
    text = f"{space}{TEXTS[0]} {'film ' * 2_000_000}{TEXTS[1]}{space}"
    start = time.perf_counter()
    ids = made([text])[0]
    assert time.perf_counter() - start < 1
    np.testing.assert_array_equal(ids, chosen(made([f"{TEXTS[0]} film {TEXTS[1]}"], whole=True)[0]))


def test_whole_reads_everything(preprocessor):
    start = time.perf_counter()
    ids = preprocessor(["good film " * 100_000], whole=True)[0]
    assert time.perf_counter() - start < 10
    short = preprocessor(["good film"], whole=True)[0]
    np.testing.assert_array_equal(ids, np.tile(short, 100_000))


def test_pad(preprocessor):
    sequences = [np.array([5, 6, 7], np.int32), np.array([8], np.int32)]
    np.testing.assert_array_equal(preprocessor.pad(sequences), [[5, 6, 7], [8, 0, 0]])
    np.testing.assert_array_equal(preprocessor.pad(sequences, 2), [[5, 6], [8, 0]])
    assert preprocessor.pad(sequences, 5).shape == (2, 5)
    assert preprocessor.pad([]).shape == (0, 0)
    assert preprocessor.pad(sequences).dtype == np.int32


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_training_is_deterministic(model_type):
    one, other = (TextPreprocessor.train(TEXTS, vocabulary_size=60, model_type=model_type) for _ in range(2))
    assert one.model == other.model
    assert one.vocabulary_size == 60
    assert one.pieces()[:2] == ["<pad>", "<unk>"]


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_small_corpus_gives_fewer_ids(model_type):
    made = TextPreprocessor.train(["a good film", "bad", ""], model_type=model_type)
    assert 10 < made.vocabulary_size < 50
    assert made.detokenize(made(["good film"])[0]) == "good film"


def test_long_texts_are_learnt_from():
    made = TextPreprocessor.train(["wonderful " * 2000], vocabulary_size=40)
    assert "▁wonderful" in made.pieces()


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "no text to learn"),
        (["", " \n", "\0"], {}, "no text to learn"),
        (["\u2585 a"], {"vocabulary_size": 30}, "SentencePiece learned nothing from them"),
        (TEXTS, {"vocabulary_size": 9}, r"vocabulary_size: got 9; these texts need at least \d\d"),
        (TEXTS, {"model_type": "unigramm"}, "did you mean 'unigram'"),
        (TEXTS, {"max_length": 0}, "max_length: got 0"),
        (TEXTS, {"truncation": "tails"}, "unknown truncation 'tails': did you mean 'tail'"),
    ],
)
def test_training_faults(texts, options, message):
    with pytest.raises(UserError, match=message):
        TextPreprocessor.train(texts, **options)


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_least_vocabulary_works(model_type):
    with pytest.raises(UserError) as fault:
        TextPreprocessor.train(TEXTS, vocabulary_size=1, model_type=model_type)
    least = int(str(fault.value).rsplit(" ", 1)[1])
    assert (
        TextPreprocessor.train(TEXTS, vocabulary_size=least, model_type=model_type).vocabulary_size == least
    )


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_sampling_follows_the_generator(model_type):
    made = TextPreprocessor.train(TEXTS, vocabulary_size=100, model_type=model_type)
    text = [TEXTS[0]] * 8
    one = made(text, sample=np.random.default_rng(1), alpha=0.3)
    same = made(text, sample=np.random.default_rng(1), alpha=0.3)
    other = made(text, sample=np.random.default_rng(2), alpha=0.3)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert len({tuple(ids) for ids in one}) > 1
    assert {made.detokenize(ids) for ids in one} == {canonical(TEXTS[0])}
    generator = np.random.default_rng(1)
    made(text, sample=generator)
    again = made(text, sample=generator)
    assert not all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))


def test_preset_round_trip(preprocessor):
    config, assets = preprocessor.to_preset()
    expected = {
        "kind": "text",
        "lowercase": True,
        "max_length": 40,
        "truncation": "head",
        "vocabulary_size": 64,
    }
    assert config == expected
    again = TextPreprocessor.from_preset(config, assets)
    for one, other in zip(preprocessor(TEXTS), again(TEXTS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_preset_of_a_truncation(cutting):
    made, _ = cutting
    again = TextPreprocessor.from_preset(*made.to_preset())
    for one, other in zip(made(TEXTS), again(TEXTS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_preset_that_says_nothing_of_truncation(preprocessor):
    config, assets = preprocessor.to_preset()
    del config["truncation"]
    assert TextPreprocessor.from_preset(config, assets).truncation == "head"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lowercase": 1}, "lowercase"),
        ({"truncation": "middle"}, "truncation"),
        ({"max_length": 0}, "max_length"),
        ({"kind": "strokes"}, "kind"),
        ({"module": "os"}, "module"),
        ({"vocabulary_size": 63}, "found 63, but assets/tokenizer.model has 64"),
    ],
)
def test_preset_faults(preprocessor, change, message):
    config, assets = preprocessor.to_preset()
    with pytest.raises(UserError, match=message):
        TextPreprocessor.from_preset({**config, **change}, assets)


def test_preset_without_its_model(preprocessor):
    with pytest.raises(UserError, match=r"assets/tokenizer.model: missing"):
        TextPreprocessor.from_preset(preprocessor.to_preset()[0], {})


@pytest.mark.parametrize("model", [b"", b"\0", b"PK\x03\x04" * 99, b"\x0a\xff\xff\xff\xff\x0f", b"{}"])
def test_hostile_model(model):
    with pytest.raises(UserError, match=r"tokenizer.model: the SentencePiece model is"):
        TextPreprocessor(model)


def test_altered_models_fail_cleanly_or_work(preprocessor):
    generator = np.random.default_rng(0)
    refused = 0
    for trial in range(300):
        model = bytearray(preprocessor.model)
        if trial % 2:
            del model[generator.integers(len(model)) :]
        else:
            for place in generator.integers(len(model), size=3):
                model[place] = generator.integers(256)
        try:
            made = TextPreprocessor(bytes(model))
        except UserError:
            refused += 1
            continue
        ids = made(["a good film, 漢"], sample=generator)[0]
        assert 0 <= ids.min() <= ids.max() < made.vocabulary_size
        assert isinstance(made.detokenize(ids), str)
    assert refused > 150
