"""Sentences of two languages: ids and back, signs that nobody can type, long texts in parts."""

import time

import numpy as np
import pytest

from zoo.errors import UserError
from zoo.preprocessing import TextPreprocessor, TranslationPreprocessor

TEXTS = [
    "Ich habe gestern ein Buch gelesen.",
    "I read a book yesterday.",
    "Der Hund läuft; die Katze schläft: alles ist gut, oder?",
    "The dog runs; the cat sleeps: all is well, isn't it?",
    "Was für ein Tag — Größe 5 < 6 > 4!",
    "What a day (really)!",
] * 3
LONG = {
    "sentences": "Ich habe gestern ein Buch gelesen. Der Hund läuft! „Was für ein Tag?“ Alles ist gut." * 20,
    "signs": "der Hund läuft; die Katze schläft: alles ist gut, oder, " * 30,
    "words": "das Buch " * 5000,
    "letters": "Hundehaus" * 500,
    "unknown": "a漢字。" * 300,
    "mixed": ("lang" * 99 + " ") * 3 + "Ende. Das Buch, das gut ist: " + "gelesen" * 50,
}


@pytest.fixture(scope="module")
def preprocessor():
    return TranslationPreprocessor.train(TEXTS, vocabulary_size=120, max_length=16)


def test_ids_and_back(preprocessor):
    ids = preprocessor(TEXTS[:6])
    for text, each in zip(TEXTS, ids, strict=False):
        assert each.dtype == np.int32
        assert each[-1] == preprocessor.end_id == 3
        assert each[:-1].min() > 3
        assert preprocessor.detokenize(each) == text
    for each, target in zip(ids, preprocessor.targets(TEXTS[:6]), strict=True):
        np.testing.assert_array_equal(target, [preprocessor.start_id, *each])
        assert target.dtype == np.int32
    assert preprocessor.detokenize([0, 2, *ids[1], 0, 3, 0]) == TEXTS[1]
    pieces = preprocessor.pieces(ids[1])
    assert pieces[0].startswith("▁")
    assert pieces[-1] == "</s>"
    assert "".join(pieces[:-1]).replace("▁", " ").strip() == TEXTS[1]
    with pytest.raises(UserError, match=r"found 120; they go from 0 to 119"):
        preprocessor.detokenize([120])
    with pytest.raises(UserError, match="one string"):
        preprocessor("I read")


@pytest.mark.parametrize("sign", ["<s>", "</s>", "<unk>", "<pad>", "▁", "\u2047"])
def test_signs_that_a_user_types_are_text(sign):
    """Also where the pieces were learned from texts that hold them."""
    for texts in (TEXTS, [*TEXTS, "das Buch <s> gelesen </s>", "<unk> a <pad> day ▁"]):
        made = TranslationPreprocessor.train(texts, vocabulary_size=120)
        ids = made([f"das {sign} Buch"])[0]
        assert not {0, 2, 3} & set(ids[:-1])
        found = made.detokenize(ids)
        assert found.startswith("das ")
        assert found.endswith(" Buch")


def test_signs_are_read_as_their_letters():
    made = TranslationPreprocessor.train(["a < b > s / c"] * 3, vocabulary_size=30)
    assert made.detokenize(made(["a <s> b </s>"])[0]) == "a <s> b </s>"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("I  read\ta\nbook\r\n yesterday. ", "I read a book yesterday."),
        ("I read\0a\x07book \ud800 yesterday.", "I read a book yesterday."),
        ("I re\u00adad a b\u200book\ufeff yesterday\u2060.", "I read a book yesterday."),
        ("I\u3000read\u00a0a book\u2581yesterday.", "I read a book yesterday."),
        ("Der Hund la\u0308uft; die Gro\u0308ße", "Der Hund läuft; die Größe"),
        ("Isn't it?", "Isn't it?"),
    ],
)
def test_what_is_typed_is_cleaned(preprocessor, typed, expected):
    np.testing.assert_array_equal(preprocessor([typed])[0], preprocessor([expected])[0])
    assert preprocessor.parts(typed)[0].split()[0] == expected.split()[0]


@pytest.mark.parametrize("text", ["", " \n\t", "\0", "\ud800", "\u200b\ufeff", "\u2581"])
def test_a_blank_text_is_its_end_alone_and_has_no_parts(preprocessor, text):
    assert preprocessor([text])[0].tolist() == [3]
    assert preprocessor.targets([text])[0].tolist() == [2, 3]
    assert preprocessor.parts(text) == []


def test_a_script_that_was_never_seen_is_unknown_signs(preprocessor):
    for text in ("漢字", "Привет мир", "שלום", "🙂🙂"):
        ids = preprocessor([text])[0]
        assert preprocessor.unknown_id in ids
        assert "⁇" in preprocessor.detokenize(ids)
        assert preprocessor.parts(text) == [text]
    assert preprocessor.detokenize(preprocessor(["das 漢 Buch"])[0]).split() == ["das", "⁇", "Buch"]


@pytest.mark.parametrize("name", LONG)
def test_parts_of_long_texts_lose_nothing_and_fit(preprocessor, name):
    text = LONG[name]
    parts = preprocessor.parts(text)
    assert len(parts) > 1
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(1 < len(ids) <= 16 for ids in preprocessor(parts))
    if name != "letters" and name != "mixed":
        assert " ".join(parts).split() == text.replace("。", "。 ").split()


def test_a_text_is_cut_at_the_best_place(preprocessor):
    assert preprocessor.parts("Das ist gut. Ja.") == ["Das ist gut.", "Ja."]
    wide = TranslationPreprocessor(preprocessor.model, max_length=30)
    assert wide.parts(f"{TEXTS[0]} {TEXTS[1]} {TEXTS[5]}") == [TEXTS[0], TEXTS[1], TEXTS[5]]
    quoted = wide.parts(f"„{TEXTS[0]}“ “{TEXTS[1]}” ({TEXTS[5]}) Ja.")
    assert quoted == [f"„{TEXTS[0]}“", f"“{TEXTS[1]}”", f"({TEXTS[5]})", "Ja."]
    number = (
        "Das Buch ist am 3. Tag gut und kostet 4.5 oder z.B. 5 für den Hund, der ein Tag läuft und schläft"
    )
    assert all(not part.endswith(("4.", "z.", "z.B.")) for part in wide.parts(number))
    clauses = preprocessor.parts("der Hund läuft; die Katze schläft: alles ist gut")
    assert clauses[0] == "der Hund läuft;"
    assert "die Katze schläft:" in clauses[1]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Hund", "Hr. und Fr. Tag", "am 3. Tag", "J. S. Bach", "z.B. Katze", "z. B. Katze", "(Mr. Hund)",
        "5 a.m. Dann", "U.S. Army", "Nr. Xa", "gut. und", "4.5", "so ... gut", "„Dr. Hund“",
    ],
)  # fmt: skip
def test_an_abbreviation_ends_no_sentence(preprocessor, text):
    wide = TranslationPreprocessor(preprocessor.model, max_length=60)
    assert wide.parts(f"{text}. Ja.") == [f"{text}.", "Ja."]


@pytest.mark.parametrize(
    "text", ["So am I.", "No.", "im Jahr 1990.", "„Ja.“", "(Ja.)", "Ja!", "Ja?!", "Ja …", "Das MDR.", "Ändr."]
)
def test_a_sentence_ends_with_its_sign(preprocessor, text):
    wide = TranslationPreprocessor(preprocessor.model, max_length=60)
    assert wide.parts(f"{text} Gut.") == [text, "Gut."]


def test_ten_thousand_words_are_quick(preprocessor):
    for text in (
        "Buch " * 10_000,
        "Das Buch ist gut. " * 2500,
        "gut; " * 10_000,
        "gut," * 10_000,
        "a" * 50_000,
    ):
        start = time.perf_counter()
        parts = preprocessor.parts(text)
        assert time.perf_counter() - start < 5
        assert sum(part.count("u") for part in parts) == text.count("u")
        assert len(preprocessor([text])[0]) > 10_000


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_training_is_deterministic(model_type):
    options = {"vocabulary_size": 75, "model_type": model_type}
    one, other = (TranslationPreprocessor.train(TEXTS, **options) for _ in range(2))
    assert one.model == other.model
    assert one.vocabulary_size == 75
    assert one.pieces(range(4)) == ["<pad>", "<unk>", "<s>", "</s>"]


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "no text to learn"),
        (["", " \n", "\0"], {}, "no text to learn"),
        (["\u2585 a"], {"vocabulary_size": 30}, "SentencePiece learned nothing from them"),
        (TEXTS, {"vocabulary_size": 9}, r"vocabulary_size: got 9; these texts need at least \d\d"),
        (TEXTS, {"model_type": "bpo"}, "did you mean 'bpe'"),
        (
            TEXTS,
            {"vocabulary_size": 90, "max_length": 3},
            "max_length: got 3; give a whole number of at least 4",
        ),
        (TEXTS, {"vocabulary_size": 90, "max_length": True}, "max_length: got True"),
    ],
)
def test_training_faults(texts, options, message):
    with pytest.raises(UserError, match=message):
        TranslationPreprocessor.train(texts, **options)


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_least_vocabulary_works(model_type):
    with pytest.raises(UserError) as fault:
        TranslationPreprocessor.train(TEXTS, vocabulary_size=1, model_type=model_type)
    least = int(str(fault.value).rsplit(" ", 1)[1])
    made = TranslationPreprocessor.train(TEXTS, vocabulary_size=least, model_type=model_type)
    assert made.vocabulary_size == least


def test_drawn_pieces_are_of_the_same_text_and_follow_the_generator(preprocessor):
    def drawn(seed):
        how = {"sample": np.random.default_rng(seed), "alpha": 0.5}
        return [ids.tolist() for ids in (*preprocessor(TEXTS, **how), *preprocessor.targets(TEXTS, **how))]

    found = drawn(1)
    assert found == drawn(1) != drawn(2)
    assert [preprocessor.detokenize(ids) for ids in found] == [*TEXTS, *TEXTS]
    assert len({tuple(ids) for ids in found[: len(TEXTS)]}) > len(set(TEXTS))  # one text, several ways


def test_preset_round_trip(preprocessor):
    config, assets = preprocessor.to_preset()
    assert config == {"kind": "translation", "max_length": 16, "vocabulary_size": 120}
    again = TranslationPreprocessor.from_preset(config, assets)
    for one, other in zip(preprocessor(TEXTS), again(TEXTS), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.parts(LONG["signs"]) == preprocessor.parts(LONG["signs"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_length": 3}, "max_length"),
        ({"max_length": "16"}, "max_length"),
        ({"kind": "text"}, "kind"),
        ({"module": "os"}, "module"),
        ({"vocabulary_size": 119}, "found 119, but assets/tokenizer.model has 120"),
    ],
)
def test_preset_faults(preprocessor, change, message):
    config, assets = preprocessor.to_preset()
    with pytest.raises(UserError, match=message):
        TranslationPreprocessor.from_preset({**config, **change}, assets)


def test_preset_without_its_model(preprocessor):
    with pytest.raises(UserError, match=r"assets/tokenizer.model: missing"):
        TranslationPreprocessor.from_preset(preprocessor.to_preset()[0], {})


def test_models_of_another_kind_are_refused(preprocessor):
    other = TextPreprocessor.train(TEXTS, vocabulary_size=90)
    message = "id 0 must be padding, id 1 unknown, id 2 a sign, id 3 a sign, and no other id special"
    with pytest.raises(UserError, match=message):
        TranslationPreprocessor(other.model)
    with pytest.raises(UserError, match="id 0 must be padding, id 1 unknown, and no other id special"):
        TextPreprocessor(preprocessor.model)


@pytest.mark.parametrize("model", [b"", b"\0", b"PK\x03\x04" * 99, b"\x0a\xff\xff\xff\xff\x0f", b"{}"])
def test_hostile_model(model):
    with pytest.raises(UserError, match=r"tokenizer.model: the SentencePiece model is"):
        TranslationPreprocessor(model)


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
            made = TranslationPreprocessor(bytes(model))
        except UserError:
            refused += 1
            continue
        ids = made(["das Buch, 漢"])[0]
        assert 0 <= ids.min() <= ids.max() < made.vocabulary_size
        assert isinstance(made.detokenize(ids), str)
        assert len(made.parts(LONG["signs"])) >= 1
    assert refused > 150
