"""The data of the sentiment application: the sample, files, folders, the corpora in each of their layouts."""

import lzma

import pytest

from applications.core import sources
from applications.core.sources import SourceError
from applications.sentiment import data, sample
from zoo.preprocessing import canonical

TREES = """\
(3 (2 It) (4 (2 's) (3 good)))
(1 (2 (2 -LRB-) (2 not)) (1 bad))
(2 (2 It) (3 (2 's) (3 good)))
"""


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs(dataset):
    return list(zip(dataset.texts, dataset.labels, strict=True))


def refused(*arguments, load=data.load, **options):
    with pytest.raises(SourceError) as fault:
        load(*arguments, **options)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def test_sample():
    texts = sample.POSITIVE + sample.NEGATIVE
    assert len(sample.POSITIVE) == len(sample.NEGATIVE) == 60
    assert len({canonical(text) for text in texts}) == 120
    parts = [data.load("builtin", split) for split in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [80, 20, 20]
    assert sorted(text for part in parts for text in part.texts) == sorted(texts)
    for part in parts:
        assert part.label_names == ["negative", "positive"]
        assert part.labels.count("positive") == len(part) // 2
        assert all((text in sample.POSITIVE) == (label == "positive") for text, label in pairs(part))
    assert data.load("builtin", "dev") == parts[1]


def test_file(tmp_path):
    file = str(write(tmp_path / "own.csv", "text,label,n\nGood, 1 ,x\n,0,y\n"))
    dataset = data.load(file)
    assert pairs(dataset) == [("Good", "1"), ("", "0")]
    assert (dataset.source, dataset.split, dataset.label_names) == (file, None, ["0", "1"])
    assert pairs(data.load(file, text_column="label", label_column="n")) == [(" 1 ", "x"), ("0", "y")]
    partly = data.load(file, text_column="n", label_column="text", require_labels=False)
    assert (partly.texts, partly.labels) == (["x", "y"], None)


def test_file_without_labels(tmp_path):
    file = str(write(tmp_path / "own.jsonl", '{"text": "a"}\n{"text": "b", "label": "x"}\n'))
    assert data.load(file, require_labels=False).labels is None
    assert "own.jsonl:1: no column 'label'" in refused(file)


def test_split_column(tmp_path):
    file = str(write(tmp_path / "own.tsv", "split\ttext\tlabel\ntrain\ta\tx\ndev\tb\ty\ntrain\tc\ty\n"))
    assert pairs(data.load(file, "train")) == [("a", "x"), ("c", "y")]
    assert pairs(data.load(file, "validation")) == pairs(data.load(file, "dev")) == [("b", "y")]
    assert len(data.load(file)) == 3
    assert "the column 'split' has no row 'test'; it has dev, train" in refused(file, "test")
    plain = str(write(tmp_path / "plain.csv", "text,label\na,x\n"))
    assert "plain.csv:1: no column 'split'" in refused(plain, "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\na,x\nb,\n", "own.csv:3: no label; give every text one"),
        ("text,label\na, \n", "own.csv:2: no label"),
        ("review,label\na,x\n", "own.csv:1: no column 'text': Found 'review', 'label'"),
        ("text,label\n", "own.csv: has no rows"),
        ("", "own.csv: is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "own.csv:1: not UTF-8"),
    ],
)
def test_file_faults(tmp_path, content, message):
    assert message in refused(str(write(tmp_path / "own.csv", content)))


def test_several_labels(tmp_path):
    text = 'text,label\na,x; y ;x\nb,\n"c",z\n'
    file = str(write(tmp_path / "own.csv", text))
    dataset = data.load(file, label_separator=";")
    assert dataset.labels == [("x", "y"), (), ("z",)]
    assert (dataset.label_names, dataset.multi_label) == (["x", "y", "z"], True)
    assert "own.csv:3: no label" in refused(file)
    assert data.load(file, require_labels=False).labels is None
    lines = '{"text": "a", "label": ["x", "y"]}\n{"text": "b", "label": []}\n'
    assert data.load(str(write(tmp_path / "own.jsonl", lines))).labels == [("x", "y"), ()]
    mixed = str(write(tmp_path / "mixed.jsonl", lines + '{"text": "c", "label": "x;z"}\n'))
    assert "mixed.jsonl:3: found 'x;z' after ('x', 'y'); give all texts lists of labels, or none" in refused(
        mixed
    )
    assert data.load(mixed, label_separator=";").labels == [("x", "y"), (), ("x", "z")]
    missing = str(write(tmp_path / "missing.jsonl", '{"text": "a", "label": null}\n'))
    assert "found null" in refused(missing, label_separator=";")
    assert data.load("builtin", "test", label_separator="+").labels[:2] == [("positive",), ("negative",)]
    training, validation = data.load_training("builtin", label_separator="+")
    assert training.multi_label
    assert validation.multi_label


def test_folder(tmp_path):
    for split, label, text in (("train", "good", "a"), ("train", "bad", "b"), ("test", "good", "c")):
        write(tmp_path / split / label / "1.txt", text)
    assert pairs(data.load(str(tmp_path / "train"))) == [("b", "bad"), ("a", "good")]
    assert pairs(data.load(str(tmp_path), "train")) == [("b", "bad"), ("a", "good")]
    assert "has the splits test, train: name one, such as --split test" in refused(str(tmp_path))
    assert "unknown split 'tset': did you mean 'test'?" in refused(str(tmp_path), "tset")
    assert "holds no .txt files" in refused(
        str(tmp_path), "test", load=lambda *_: data.load(str(tmp_path.parent))
    )
    (tmp_path / "empty").mkdir()
    assert "has no sub-folders" in refused(str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("source", "split", "message"),
    [
        ("builtin", None, "builtin: has the splits train, validation, test: name one, such as --split test"),
        ("builtin", "tset", "builtin: unknown split 'tset': did you mean 'test'?"),
        ("sts:.", None, "unknown corpus 'sts': did you mean 'sst'"),
        ("sst:.", None, "sst:.: has the splits train, validation, test"),
        ("imdb:.", "validation", "imdb:.: unknown split 'validation'"),
        ("sst:/no/such/place", "test", "no such file or folder"),
        ("none.csv", None, "'none.csv': no such file or folder"),
    ],
)
def test_source_faults(source, split, message):
    assert message in refused(source, split)


@pytest.mark.parametrize("name", ["stsa.binary.{}", "stsa.binary.{}.txt", "stsa.binary.{}.txt.xz"])
def test_sst_binary(tmp_path, name):
    text = b"1 it 's good\n0 it 's bad .\n"
    write(tmp_path / name.format("dev"), lzma.compress(text) if name.endswith(".xz") else text)
    dataset = data.load(f"sst:{tmp_path}", "validation")
    assert pairs(dataset) == [("it 's good", "positive"), ("it 's bad .", "negative")]
    assert dataset.source == f"sst:{tmp_path}"
    assert dataset.split == "validation"
    message = refused(f"sst:{tmp_path}", "test")
    assert "holds no split 'test': looked for stsa.binary.*, trees.*.txt and GLUE's *.tsv" in message


@pytest.mark.parametrize("name", ["trees.train.txt", "trees/train.txt", "train.txt"])
def test_sst_trees(tmp_path, name):
    write(tmp_path / name, TREES)
    assert pairs(data.load(f"sst:{tmp_path}", "train")) == [
        ("It 's good", "positive"),
        ("-LRB- not bad", "negative"),
    ]


def test_sst_glue(tmp_path):
    write(tmp_path / "dev.tsv", "sentence\tlabel\nit 's good \t1\nbad \t0\n")
    write(tmp_path / "test.tsv", "index\tsentence\n0\tuneasy mishmash\n")
    assert pairs(data.load(f"sst:{tmp_path}", "dev")) == [("it 's good ", "positive"), ("bad ", "negative")]
    assert data.load(f"sst:{tmp_path}", "test", require_labels=False).texts == ["uneasy mishmash"]
    assert "test.tsv:2: no label" in refused(f"sst:{tmp_path}", "test")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "stsa.binary.test.txt",
            "2 good\n",
            "stsa.binary.test.txt:1: found '2 good'; expected 0 or 1, a space",
        ),
        ("stsa.binary.test.txt", "1\n", "stsa.binary.test.txt:1: found '1'"),
        ("stsa.binary.test.txt", "", "holds no texts"),
        ("stsa.binary.test.txt", b"1 a\n\xff\n", "stsa.binary.test.txt:2: not UTF-8"),
        ("test.tsv", "sentence\tlabel\na\t2\n", "test.tsv:2: found the label '2'"),
        (
            "trees.test.txt",
            "(3 (2 It)\n",
            "trees.test.txt:1: found '(3 (2 It)'; expected one tree in brackets",
        ),
    ],
)
def test_sst_faults(tmp_path, name, content, message):
    write(tmp_path / name, content)
    assert message in refused(f"sst:{tmp_path}", "test")


@pytest.mark.parametrize("name", ["stsa.fine.dev", "stsa.fine.dev.txt.xz", "trees.dev.txt"])
def test_sst5(tmp_path, name):
    text = "4 it 's good\n2 it is .\n0 it 's bad .\n1 meh\n3 it works\n"
    if name.startswith("trees"):
        text = "(4 (2 it) (3 works))\n(2 (2 it) (2 is))\n(0 (2 it) (1 fails))\n(1 meh)\n(3 good)\n"
    write(tmp_path / name, lzma.compress(text.encode()) if name.endswith(".xz") else text)
    dataset = data.load(f"sst5:{tmp_path}", "validation")
    assert dataset.labels == ["very positive", "neutral", "very negative", "negative", "positive"]
    assert dataset.label_names == list(data.DEGREES)
    assert dataset.texts[0] in ("it 's good", "it works")
    assert dataset.take([0, 2]).label_names == ["very negative", "very positive"]
    assert "sst5" in dataset.source
    message = refused(f"sst5:{tmp_path}", "test")
    assert "holds no split 'test': looked for stsa.fine.* and trees.*.txt" in message


def test_sst5_faults(tmp_path):
    write(tmp_path / "stsa.fine.test.txt", "3 fine\n5 good\n")
    message = refused(f"sst5:{tmp_path}", "test")
    assert "stsa.fine.test.txt:2: found '5 good'; expected 0, 1, 2, 3 or 4, a space and a sentence" in message
    assert "has the splits train, validation, test" in refused(f"sst5:{tmp_path}")


def test_corpus_wants_a_folder(tmp_path):
    file = write(tmp_path / "file", "")
    assert "is a file; give the folder" in refused(f"sst5:{file}", "test")
    assert "is a file; give the folder" in refused(f"sst:{file}", "test")
    assert "is a file; give the folder" in refused(f"imdb:{file}", "test")


@pytest.mark.parametrize("root", ["", "aclImdb/"])
def test_imdb_folders(tmp_path, root):
    write(tmp_path / f"{root}test/pos/0_9.txt", "Good<br />film")
    write(tmp_path / f"{root}test/neg/0_1.txt", "Bad")
    write(tmp_path / f"{root}train/unsup/0_0.txt", "Hm")
    assert pairs(data.load(f"imdb:{tmp_path}", "test")) == [
        ("Bad", "negative"),
        ("Good<br />film", "positive"),
    ]
    hm = data.load(f"imdb:{tmp_path}", "unsupervised", require_labels=False)
    assert (hm.texts, hm.labels) == (["Hm"], None)
    message = refused(f"imdb:{tmp_path}", "train")
    assert "holds no split 'train': looked for train.tsv and train/neg/" in message


def test_imdb_files(tmp_path):
    write(tmp_path / "train.tsv.xz", lzma.compress(b'0\t3\t7\t"Bad" film\n1\t9\t8\tGood\n'))
    write(tmp_path / "unsup.tsv", "0\tHm\n")
    write(tmp_path / "test.tsv", "0\t3\t7\n")
    assert pairs(data.load(f"imdb:{tmp_path}", "train")) == [('"Bad" film', "negative"), ("Good", "positive")]
    assert data.load(f"imdb:{tmp_path}", "unsup", require_labels=False).texts == ["Hm"]
    assert "test.tsv:1: found '0\\t3\\t7'; expected 4 fields" in refused(f"imdb:{tmp_path}", "test")


def test_tfds_names_become_labels(monkeypatch):
    def read(name, split, columns, optional):
        assert (name, split, columns, optional) == ("imdb_reviews", "train[:2]", ["text", "label"], ["label"])
        yield from ({"text": "a", "label": "neg"}, {"text": "b", "label": "pos"})

    monkeypatch.setattr(sources, "read_tfds", read)
    dataset = data.load("tfds:imdb_reviews", "train[:2]")
    assert pairs(dataset) == [("a", "negative"), ("b", "positive")]
    assert dataset.source == "tfds:imdb_reviews"


def test_load_training(tmp_path, monkeypatch):
    training, validation = data.load_training("builtin")
    assert (training.split, validation.split, len(training), len(validation)) == (
        "train",
        "validation",
        80,
        20,
    )
    rows = "".join(f"{n},{n % 2}\n" for n in range(40))
    file = str(write(tmp_path / "own.csv", f"text,label\n{rows}"))
    training, validation = data.load_training(file, fraction=0.2, seed=1)
    assert (len(training), len(validation), validation.labels.count("1")) == (32, 8, 4)
    one = str(write(tmp_path / "one.csv", "text,label\na,x\nb,x\n"))
    assert "found only the label 'x'" in refused(one, load=data.load_training)
    monkeypatch.setattr(sources, "tfds_splits", lambda _: ["test", "train"])
    monkeypatch.setattr(sources, "read_tfds", lambda *_: ({"text": n, "label": n} for n in "aabb" * 10))
    training, validation = data.load_training("tfds:imdb_reviews")
    assert (len(training), len(validation)) == (36, 4)


def test_phrases(tmp_path):
    write(tmp_path / "trees.train.txt", TREES)
    phrases = data.load_phrases(tmp_path)
    found = dict(zip(phrases.texts, phrases.votes.tolist(), strict=True))
    assert found == {
        "it": [0, 0, 2, 0, 0],
        "'s": [0, 0, 2, 0, 0],
        "good": [0, 0, 0, 2, 0],
        "'s good": [0, 0, 0, 1, 1],
        "it 's good": [0, 0, 1, 1, 0],
        "(": [0, 0, 1, 0, 0],
        "not": [0, 0, 1, 0, 0],
        "( not": [0, 0, 1, 0, 0],
        "bad": [0, 1, 0, 0, 0],
        "( not bad": [0, 1, 0, 0, 0],
    }
    labels = dict(zip(phrases.texts, phrases.labels.tolist(), strict=True))
    assert (labels["it 's good"], labels["'s good"], labels["bad"]) == (2, 3, 1)
    whole = [text for text, sentence in zip(phrases.texts, phrases.sentences, strict=True) if sentence]
    assert whole == ["it 's good", "( not bad"]
    assert len(phrases) == 10


@pytest.mark.parametrize(
    "line",
    [
        "(3 (2 It)",
        "(3 It))",
        "3 It",
        "(5 It)",
        "(3)",
        "(3 )",
        "(3 It) (2 It)",
        "(3 It) more",
        "()",
        "(3 (2 ) It)",
    ],
)
def test_no_trees(tmp_path, line):
    write(tmp_path / "trees.train.txt", f"(2 ok)\n{line}\n")
    message = refused(tmp_path, load=data.load_phrases)
    assert "trees.train.txt:2: found" in message
    assert "expected one tree in brackets" in message


def test_deep_tree(tmp_path):
    write(tmp_path / "trees.train.txt", "(3 " * 3000 + "It" + ")" * 3000)
    assert data.load_phrases(tmp_path).votes.tolist() == [[0, 0, 0, 3000, 0]]


def test_phrase_files_missing(tmp_path):
    assert "holds no trees of the split 'train'" in refused(tmp_path, load=data.load_phrases)
    write(tmp_path / "trees.train.txt", "\n")
    assert "trees.train.txt: holds no trees" in refused(tmp_path, load=data.load_phrases)


@pytest.mark.parametrize(
    ("corpus", "split", "counts"),
    [
        ("sst", "train", (3310, 3610)),
        ("sst", "validation", (428, 444)),
        ("sst", "test", (912, 909)),
        ("imdb", "test", (12500, 12500)),
    ],
)
def test_real_corpora(shared_data, corpus, split, counts):
    dataset = data.load(f"{corpus}:{shared_data / 'sentiment' / corpus}", split)
    assert (dataset.labels.count("negative"), dataset.labels.count("positive")) == counts


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ("train", [1092, 2218, 1624, 2322, 1288]),
        ("validation", [139, 289, 229, 279, 165]),
        ("test", [279, 633, 389, 510, 399]),
    ],
)
def test_real_sst5(shared_data, split, counts):
    dataset = data.load(f"sst5:{shared_data / 'sentiment/sst'}", split)
    assert [dataset.labels.count(label) for label in data.DEGREES] == counts


def test_real_trees_agree_with_the_binary_files(shared_data, tmp_path):
    folder = shared_data / "sentiment/sst"
    write(tmp_path / "trees.dev.txt.xz", (folder / "trees.dev.txt.xz").read_bytes())
    trees = {canonical(text): label for text, label in pairs(data.load(f"sst:{tmp_path}", "dev"))}
    binary = {canonical(text): label for text, label in pairs(data.load(f"sst:{folder}", "dev"))}
    assert trees == binary


def test_real_phrases(shared_data):
    phrases = data.load_phrases(shared_data / "sentiment/sst", "dev")
    assert len(phrases) == len(set(phrases.texts))
    sentences = data.load(f"sst:{shared_data / 'sentiment/sst'}", "dev")
    labels = dict(zip(phrases.texts, phrases.labels, strict=True))
    assert all((labels[canonical(text)] > 2) == (label == "positive") for text, label in pairs(sentences))
    assert phrases.sentences.sum() == 1100  # of 1,101 sentences two are one
