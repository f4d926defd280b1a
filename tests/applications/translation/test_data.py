"""The data of the translation application: the sample, tables, parallel files, TFDS, the corpora."""

import gzip
import lzma

import pytest

from applications.core import sources, tfds
from applications.core.sources import Source, SourceError
from applications.translation import data, options, sample
from applications.translation.data import Pairs

HI = "Hi.\tHallo!\nHi.\tGrüß Gott!\nRun!\tLauf!\nHi.\tHallo!\nGo!\tLauf!\n"


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes({".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)(content))
    return path


def rows(pairs):
    return list(zip(pairs.sources, pairs.references, strict=True))


def languages(pairs):
    return pairs.source_language, pairs.target_language


def refused(*arguments, load=data.load, **options):
    with pytest.raises(SourceError) as fault:
        load(*arguments, **options)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def test_pairs():
    pairs = Pairs(["a", "b", "a"], [["A", "Ä"], ["B"], ["A"]], "de", "en", "own.tsv")
    assert (len(pairs), pairs.targets) == (3, ["A", "B", "A"])
    assert pairs.expanded() == Pairs(
        ["a", "a", "b", "a"], [["A"], ["Ä"], ["B"], ["A"]], "de", "en", "own.tsv"
    )
    assert rows(pairs.grouped()) == [("a", ["A", "Ä"]), ("b", ["B"])]
    assert pairs.take([1, 0], "test") == Pairs(["b", "a"], [["B"], ["A", "Ä"]], "de", "en", "own.tsv", "test")
    bare = Pairs(["a", "b"], None, None, None, "own.tsv", "train").take([1])
    assert (bare.sources, bare.references, bare.targets, bare.split) == (["b"], None, None, "train")


def test_sample():
    parts = {split: data.load("builtin", split) for split in ("train", "validation", "test")}
    assert {split: len(part) for split, part in parts.items()} == {"train": 108, "validation": 18, "test": 18}
    every = [text for part in parts.values() for text in part.sources]
    assert len(set(every)) == 144
    assert len({text for part in parts.values() for text in part.targets}) == 144
    assert languages(parts["train"]) == ("de", "en")
    found = {text: target for part in parts.values() for text, [target] in rows(part)}
    assert found["Heute trinkt mein Bruder eine Tasse Tee."] == "Today my brother drinks a cup of tea."
    assert found["Anna hat die Katze gesucht."] == "Anna has looked for the cat."
    words = {word for text in parts["train"].sources for word in text.split()}
    assert {
        word for text in every for word in text.split()
    } == words  # nothing is tested that was not trained
    turned = data.load("builtin", "dev", source_language="en")
    assert (turned.sources, turned.targets) == (parts["validation"].targets, parts["validation"].sources)
    assert languages(turned) == ("en", "de")
    assert turned == data.load("builtin", "validation", target_language="de")
    assert sample.pairs("test") == list(zip(parts["test"].sources, parts["test"].targets, strict=True))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own.tsv", "source\ttarget\nHi.\tHallo!\nRun!\tLauf!\n"),
        ("own.tsv.xz", "target\tid\tsource\nHallo!\t1\tHi.\nLauf!\t2\tRun!\n"),
        ("own.csv.gz", '\nsource,target\n"Hi.",Hallo!\nRun!,Lauf!\n'),
        ("own.jsonl", '{"source": "Hi.", "target": "Hallo!"}\n\n{"source": "Run!", "target": "Lauf!"}\n'),
    ],
)
def test_table(tmp_path, name, content):
    file = str(write(tmp_path / name, content))
    pairs = data.load(file)
    assert rows(pairs) == [("Hi.", ["Hallo!"]), ("Run!", ["Lauf!"])]
    assert (pairs.source, pairs.split, *languages(pairs)) == (file, None, None, None)
    turned = data.load(file, source_column="target", target_column="source", source_language="de")
    assert turned.sources == ["Hallo!", "Lauf!"]
    assert languages(turned) == ("de", None)


def test_table_with_several_translations(tmp_path):
    text = '{"source": "Hi.", "target": ["Hallo!", "Tag!"]}\n{"source": "Run!", "target": "Lauf!"}\n'
    pairs = data.load(str(write(tmp_path / "own.jsonl", text)))
    assert rows(pairs) == [("Hi.", ["Hallo!", "Tag!"]), ("Run!", ["Lauf!"])]
    text = '{"source": "Hi.", "target": ["Hallo!", " "]}\n{"source": "Run!", "target": []}\n'
    gaps = str(write(tmp_path / "gaps.jsonl", text))
    assert "gaps.jsonl:1: the target is empty; give every sentence its translation" in refused(gaps)
    assert data.load(gaps, allow_empty=True).references == [["Hallo!", " "], [""]]


def test_table_without_translations(tmp_path):
    file = str(write(tmp_path / "own.tsv", "source\nHi.\nRun!\n"))
    pairs = data.load(file, require_targets=False)
    assert (pairs.sources, pairs.references) == (["Hi.", "Run!"], None)
    partly = str(write(tmp_path / "partly.tsv", "source\ttarget\nHi.\tHallo!\nRun!\t\n"))
    assert data.load(partly, require_targets=False).references is None
    assert "partly.tsv:3: the target is empty" in refused(partly)
    whole = str(write(tmp_path / "whole.tsv", "source\ttarget\nHi.\tHallo!\n"))
    assert data.load(whole, require_targets=False).references == [["Hallo!"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.tsv",
            "Hi.\tHallo!\nRun!\tLauf!\n",
            "a.tsv:1: found 'Hi.' and 'Hallo!', not the columns 'source' and",
        ),
        (
            "a.csv",
            "\nen,de\nRun!,Lauf!\n",
            "a.csv:2: found 'en' and 'de', not the columns 'source' and 'target': if",
        ),
        (
            "a.tsv",
            "source\nHi.\n",
            "a.tsv:1: found one column only; give two, 'source' and 'target', with a tab",
        ),
        (
            "a.csv",
            "source;target\nHi;Ho\n",
            "a.csv:1: found one column only; give two, 'source' and 'target', with a",
        ),
        ("a.tsv", "source\tzarget\nHi.\tHallo!\n", "a.tsv:1: no column 'target': did you mean 'zarget'?"),
        ("a.jsonl", '{"source": "Hi."}\n', "a.jsonl:1: no column 'target': Found 'source'"),
        (
            "a.tsv",
            "source\ttarget\nHi.\tHallo!\n \tLauf!\n",
            "a.tsv:3: the source is empty; give every sentence its",
        ),
        ("a.tsv", "source\ttarget\nHi.\n", "a.tsv:2: found 1 fields where the first line has 2"),
        ("a.tsv", "source\ttarget\nHi.\tHal\0lo!\n", "a.tsv:2: a NUL byte at byte 8 of the line"),
        (
            "a.tsv",
            "source\ttarget\nHi.\tGrüß Gott!\n".encode("latin-1"),
            "a.tsv:2: not UTF-8 (0xfc is byte 7",
        ),
        ("a.tsv", "", "a.tsv: is empty; give a table whose first line names the columns"),
        (
            "a.txt",
            "Hi.\n",
            "a.txt: is no table; give a table (.csv, .tsv, .jsonl), or two files of one sentence a",
        ),
    ],
)
def test_table_faults(tmp_path, name, content, message):
    assert message in refused(str(write(tmp_path / name, content)))


def test_source_faults(tmp_path):
    assert "is a folder; give a table (.csv" in refused(str(tmp_path))
    assert "'none.tsv': no such file or folder" in refused("none.tsv")
    assert "unknown corpus 'tatoba': did you mean 'tatoeba'?" in refused(f"tatoba:{tmp_path}", "test")
    assert "builtin: has the splits train, validation, test: name one, such as --split test" in refused(
        "builtin"
    )
    assert "builtin: unknown split 'tset': did you mean 'test'?" in refused("builtin", "tset")
    assert "builtin: unknown language 'fr': " in refused("builtin", "test", source_language="fr")
    message = refused("builtin", "test", source_language="de", target_language="de")
    assert "builtin: source and target language are both 'de'; give two of de, en" in message


def test_split_column(tmp_path):
    lines = "source\ttarget\tsplit\na\tA\ttrain\nb\tB\tdev\nc\tC\ttest\nd\tD\ttrain\n"
    file = str(write(tmp_path / "own.tsv", lines))
    assert rows(data.load(file, "train")) == [("a", ["A"]), ("d", ["D"])]
    assert data.load(file, "validation").sources == data.load(file, "val").sources == ["b"]
    assert len(data.load(file)) == 4
    assert data.splits(file) == ["test", "train", "validation"]
    training, validation = data.load_training(file)
    assert (training.sources, validation.sources) == (["a", "d"], ["b"])
    most = str(write(tmp_path / "most.tsv", lines.replace("dev", "train")))
    training, validation = data.load_training(most)
    assert sorted(training.sources + validation.sources) == ["a", "b", "d"]  # the test split is never touched
    assert "own.tsv: the column 'split' has no row 'unseen'; it has dev, test, train" in refused(
        file, "unseen"
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("train.de", "train.en"), ("de", "en")),
        (("train.tok.deu.xz", "train.EN.gz"), ("deu", "en")),
        (("source.txt", "train.tgt"), (None, None)),
    ],
)
def test_two_files(tmp_path, names, expected):
    first = write(tmp_path / names[0], "Hallo!\r\nGrüß Gott!\r\n\r\nLauf!")
    second = write(tmp_path / names[1], "Hi.\nHello.\n \nRun!\n")
    source = f"{first},{second}"
    pairs = data.load(source)
    assert rows(pairs) == [("Hallo!", ["Hi."]), ("Grüß Gott!", ["Hello."]), ("Lauf!", ["Run!"])]
    assert (pairs.source, languages(pairs)) == (source, expected)
    assert data.load(f"{first}, {second}").source == source
    assert languages(data.load(source, source_language="gsw", target_language="en-gb")) == ("gsw", "en-gb")
    assert "two files have no splits; name the files of the split 'test'" in refused(source, "test")


def test_two_files_are_not_turned_round(tmp_path):
    first, second = write(tmp_path / "a.de", "Hallo!\n"), write(tmp_path / "a.en", "Hi.\n")
    for named in ({"source_language": "en"}, {"target_language": "de"}):
        message = refused(f"{first},{second}", **named)
        assert message.endswith(f"the first file is the source; to turn them round give {second},{first}")


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (
            "a\nb\n",
            "A\nB\nC c\n",
            "a.de,{0}/a.en: 2 lines and 3 lines: {0}/a.de ends where line 3 of {0}/a.en is 'C c'",
        ),
        (
            "a\nb\nc\n",
            "A\n",
            "3 lines and 1 lines: {0}/a.en ends where line 2 of {0}/a.de is 'b'; give two files that",
        ),
        (
            "a\n\nb\nc\n",
            "A\nB\nC\n",
            "4 lines and 3 lines: line 2 is empty in {0}/a.de and not in {0}/a.en; give",
        ),
        ("a\nb\n", "A\n \n\n", "2 lines and 3 lines: line 2 is empty in {0}/a.en and not in {0}/a.de; give"),
        ("a\nb\n", "A\n\n", "{0}/a.en:2: the target is empty; give every sentence its translation"),
        ("a\n \n", "A\nB\n", "{0}/a.de:2: the source is empty"),
        ("a\nb\n", b"A\n\xff\n", "{0}/a.en:2: not UTF-8"),
        ("a\n\0\n", "A\nB\n", "{0}/a.de:2: a NUL byte"),
        ("", "", "a.de,{0}/a.en: holds no sentences"),
        ("\n\n", "\n\n", "a.de,{0}/a.en: holds no sentences"),
    ],
)
def test_two_files_that_do_not_match(tmp_path, left, right, message):
    first, second = write(tmp_path / "a.de", left), write(tmp_path / "a.en", right)
    assert message.format(tmp_path) in refused(f"{first},{second}")


def test_one_of_two_files_is_missing(tmp_path):
    file = write(tmp_path / "a.de", "a\n")
    assert refused(f"{file},{tmp_path}/a.fr").startswith(f"'{tmp_path}/a.fr': no such file or folder")
    assert refused(f"{tmp_path}/a.fr,{file}").startswith(f"'{tmp_path}/a.fr': no such file or folder")
    assert refused("a.xx,a.yy").startswith("'a.xx,a.yy': no such file or folder")
    assert "is a folder; a file is wanted" in refused(f"{file},{tmp_path}")
    comma = str(write(tmp_path / "a,b.csv", "source,target\na,b\n"))
    assert sources.parse(comma, data.CORPORA) == Source("path", comma)  # a file of this name comes first
    assert rows(data.load(comma)) == [("a", ["b"])]


@pytest.mark.parametrize("place", ["tok/", "data/task1/tok/", ""])
@pytest.mark.parametrize("suffix", ["", ".xz"])
def test_multi30k(tmp_path, place, suffix):
    for split, text in (("train", "a"), ("val", "b"), ("test_2016_flickr", "c")):
        for language in ("en", "de"):
            write(tmp_path / f"{place}{split}.lc.norm.tok.{language}{suffix}", f"{text} {language} .\n")
    source = f"multi30k:{tmp_path}"
    pairs = data.load(source, "test")
    assert (rows(pairs), languages(pairs)) == ([("c en .", ["c de ."])], ("en", "de"))
    assert (pairs.source, pairs.split) == (source, "test")
    turned = data.load(source, "val", source_language="de")
    assert (rows(turned), languages(turned)) == ([("b de .", ["b en ."])], ("de", "en"))
    training, validation = data.load_training(source)
    assert (training.sources, validation.sources) == (["a en ."], ["b en ."])
    message = refused(source, "test", target_language="fr")
    assert (
        "holds no split 'test' in 'fr': looked for tok/test_2016_flickr.lc.norm.tok.fr; give the" in message
    )


def test_tatoeba(tmp_path):
    for name in ("train.tsv.xz", "val.tsv.xz", "test.tsv"):
        write(tmp_path / name, HI)
    source = f"tatoeba:{tmp_path}"
    training = data.load(source, "train")
    assert languages(training) == ("de", "en")
    assert training.sources == ["Hallo!", "Grüß Gott!", "Lauf!", "Hallo!", "Lauf!"]
    assert training.targets == ["Hi.", "Hi.", "Run!", "Hi.", "Go!"]
    german = [("Hallo!", ["Hi."]), ("Grüß Gott!", ["Hi."]), ("Lauf!", ["Run!", "Go!"])]
    english = [("Hi.", ["Hallo!", "Grüß Gott!"]), ("Run!", ["Lauf!"]), ("Go!", ["Lauf!"])]
    for split in ("validation", "test"):
        assert rows(data.load(source, split)) == german
        assert rows(data.load(source, split, source_language="en")) == english
    assert rows(data.load_training(source, source_language="en")[1]) == english


def test_tatoeba_as_manythings_gives_it(tmp_path):
    sentences = ["Hi.", "Hop in.", "Cheers!", "He's Swiss, isn't he?", "HES swiss isnt he"]
    text = "".join(f"{english}\tdeutsch {number}\tCC-BY\n" for number, english in enumerate(sentences))
    write(tmp_path / "deu-eng/deu.txt", text)
    parts = {split: data.load(f"tatoeba:{tmp_path}", split) for split in ("train", "dev", "test")}
    assert {split: part.targets for split, part in parts.items()} == {
        "train": ["Hi."],
        "dev": ["Hop in."],
        "test": [
            "Cheers!",
            "He's Swiss, isn't he?",
            "HES swiss isnt he",
        ],  # signs and capitals do not part them
    }


def test_corpus_faults(tmp_path):
    source = f"tatoeba:{tmp_path}"
    assert "holds no split 'test': looked for test.tsv and deu.txt; give the folder" in refused(
        source, "test"
    )
    file = write(tmp_path / "test.tsv", "Hi.\tHallo!\nHi.\n")
    assert "test.tsv:2: found 'Hi.'; expected an English and a German sentence" in refused(source, "test")
    write(file, "Hi.\tHallo!\tme\n")
    assert "test.tsv:1: found 'Hi.\\tHallo!\\tme'; expected" in refused(source, "test")
    assert "is a file; give the folder that holds the files of the corpus" in refused(
        f"tatoeba:{file}", "test"
    )
    assert "is a file; give the folder that holds the files of the corpus" in refused(
        f"multi30k:{file}", "test"
    )


def test_unseen(tmp_path):
    write(tmp_path / "train.tsv", HI)
    write(tmp_path / "test.tsv", "Hello.\tTag!\nHello.\tHallo!\nStop!\tHalt!\nCheers!\tGrüß Gott!\n")
    source = f"tatoeba:{tmp_path}"
    german, english = (data.load(source, "test", source_language=language) for language in ("de", "en"))
    assert data.unseen(german, source).tolist() == [True, False, True, False]
    assert data.unseen(german, data.load(source, "train")).tolist() == [True, False, True, False]
    assert data.unseen(english, source, **options.COLUMNS).tolist() == [False, True, False]
    assert data.unseen(english.expanded(), source).tolist() == [True, False, True, False]
    assert german.take([0, 2]).sources == ["Tag!", "Halt!"]
    bare = Pairs(["Hallo!", "Tag!"], None, "de", "en", "own.tsv")
    assert data.unseen(bare, source).tolist() == [False, True]
    assert data.unseen(data.load("builtin", "test"), "builtin").all()


def table(path, count, blank=0):
    """Write a table of `count` different sentences with two translations each, and some whose target is empty."""
    lines = [f"s{n}\tt{n}{way}\n" for n in range(count) for way in "ab"] + [f"e{n}\t\n" for n in range(blank)]
    return str(write(path, "source\ttarget\n" + "".join(lines)))


def test_hold_back(tmp_path):
    file = table(tmp_path / "own.tsv", 100, blank=5)
    training, validation = data.load_training(file, fraction=0.1, seed=1)
    assert (len(training), len(validation)) == (185, 10)
    assert not set(training.sources) & set(validation.sources)
    assert all(found == [f"t{text[1:]}a", f"t{text[1:]}b"] for text, found in rows(validation))
    assert training.targets.count("") == 5  # left to cleaning
    assert (training.split, validation.split) == ("train", "validation")
    assert data.load_training(file, fraction=0.1, seed=1) == (training, validation)
    assert data.load_training(file, fraction=0.1, seed=2)[1] != validation
    assert len(data.load_training(file)[1]) == 2
    two = table(tmp_path / "two.tsv", 2)
    assert [len(part) for part in data.load_training(two)] == [2, 1]
    assert [len(part) for part in data.load_training(two, fraction=0.9)] == [2, 1]
    one = table(tmp_path / "one.tsv", 1, blank=5)
    assert "one.tsv: too few different sentences to hold some back" in refused(one, load=data.load_training)
    assert "fraction: got 1; give" in refused(file, fraction=1, load=data.load_training)


def test_hold_back_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "MOST_HELD", 3)
    training, validation = data.load_training(table(tmp_path / "own.tsv", 10), fraction=0.5)
    assert (len(training), len(validation)) == (14, 3)


def test_validation_source(tmp_path):
    file = table(tmp_path / "own.tsv", 3)
    training, validation = data.load_training(file, validation="builtin", source_language="en")
    assert len(training) == 6
    assert validation == data.load("builtin", "validation", source_language="en")
    other = str(write(tmp_path / "dev.csv", "source,target\na,A\n"))
    training, validation = data.load_training("builtin", validation=other)
    assert (len(training), rows(validation), languages(validation)) == (108, [("a", ["A"])], ("de", "en"))
    empty = str(write(tmp_path / "empty.csv", "source,target\na,A\nb,\n"))
    assert "empty.csv:3: the target is empty" in refused(file, validation=empty, load=data.load_training)


@pytest.fixture
def ted(monkeypatch):
    """Stand in for `tfds:ted`, Portuguese to English, and `tfds:plain`, with two features of text."""

    def read(name, split, columns, optional):
        for column in columns:
            assert column in {"ted": ("pt", "en"), "plain": ("text", "gloss")}[name]
        row = {"pt": f"olá {split}", "en": f"hello {split}", "text": "a", "gloss": "A"}
        yield {column: row[column] for column in {*columns, *optional} & set(row)}

    monkeypatch.setattr(sources, "read_tfds", read)
    monkeypatch.setattr(sources, "tfds_languages", lambda name: {"ted": ["pt", "en"]}.get(name, []))
    monkeypatch.setattr(sources, "tfds_splits", lambda _: ["test", "train", "validation"])


def test_tfds(ted):
    pairs = data.load("tfds:ted", "test[:1]")
    assert rows(pairs) == [("olá test[:1]", ["hello test[:1]"])]
    assert (pairs.source, pairs.split, *languages(pairs)) == ("tfds:ted", "test[:1]", "pt", "en")
    for named in ({"source_language": "en"}, {"source_column": "en"}, {"target_column": "pt"}):
        assert rows(data.load("tfds:ted", "train", **named)) == [("hello train", ["olá train"])]
    assert "tfds:ted: unknown language 'de'" in refused("tfds:ted", "test", target_language="de")
    assert "tfds:ted: unknown language 'text'" in refused("tfds:ted", "test", source_column="text")
    training, validation = data.load_training("tfds:ted")
    assert (training.sources, validation.sources) == (["olá train"], ["olá validation"])
    columns = {"source_column": "text", "target_column": "gloss", "source_language": "got"}
    plain = data.load("tfds:plain", "train", **columns)
    assert (rows(plain), languages(plain)) == ([("a", ["A"])], ("got", None))
    bare = data.load("tfds:plain", "train", **{**columns, "target_column": "none"}, require_targets=False)
    assert (bare.sources, bare.references) == (["a"], None)


def test_tfds_builder(tmp_path, monkeypatch):
    import tensorflow_datasets

    folder = str(tmp_path)

    class ZooTalks(tensorflow_datasets.core.GeneratorBasedBuilder):
        """Two sentences."""

        VERSION = tensorflow_datasets.core.Version("1.0.0")
        BUILDER_CONFIGS = (tensorflow_datasets.core.BuilderConfig(name="ptbr_to_en"),)

        def _info(self):
            features = tensorflow_datasets.features.Translation(languages=("en", "pt_br"))
            return self.dataset_info_from_configs(features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            yield 0, {"pt_br": "olá", "en": "hello"}
            yield 1, {"pt_br": "", "en": "nothing"}

    ZooTalks(data_dir=folder).download_and_prepare()
    assert tfds.tfds_languages("zoo_talks/ptbr_to_en", folder) == ["pt_br", "en"]
    builder = tfds._tfds_builder
    monkeypatch.setattr(tfds, "_tfds_builder", lambda name, _: builder(name, folder))
    pairs = data.load("tfds:zoo_talks/ptbr_to_en", "train", allow_empty=True)
    assert sorted(rows(pairs)) == [("", ["nothing"]), ("olá", ["hello"])]
    assert languages(pairs) == ("pt_br", "en")
    assert "the source is empty" in refused("tfds:zoo_talks", "train")
