"""Where data comes from: every grammar, every fault told in one line with its place and its remedy."""

import gzip
import json
import lzma
import socket
import threading
import time

import numpy as np
import pytest

from applications.core import sources, tfds
from applications.core.sources import Source, SourceError, TextDataset

CSV = 'text,label\n"It said ""no"", then\nleft.",negative\nGood,positive\n'
TSV = 'label\ttext\nnegative\t"It said ""no"", then"\npositive\t"Good" and more\n'
JSONL = '{"text": "It said \\"no\\"", "label": 0}\n\n{"label": true, "text": "Good\\ud800", "x": [1]}\n'
PACKS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path, columns=("text", "label"), **options):
    return list(sources.read_table(path, columns, **options))


def refused(call, *arguments):
    with pytest.raises(SourceError) as fault:
        call(*arguments)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def test_parse(tmp_path):
    file = write(tmp_path / "a:b.csv", CSV)
    assert sources.parse("builtin") == Source("builtin", "")
    assert sources.parse("tfds:glue/sst2") == Source("tfds", "glue/sst2")
    assert sources.parse(f"sst:{tmp_path}", ["sst"]) == Source("sst", str(tmp_path))
    assert sources.parse(str(file)) == Source("path", str(file))
    for source in ("builtin", "tfds:glue/sst2", f"sst:{tmp_path}", str(file)):
        assert str(sources.parse(source, ["sst"])) == source


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("stt:x", "unknown corpus 'stt': did you mean 'sst'?"),
        ("tdfs:imdb_reviews", "unknown corpus 'tdfs': did you mean 'tfds'?"),
        ("builtn", "'builtn': no such file or folder: did you mean 'builtin'?"),
        ("", "got an empty name"),
        ("tfds:", "nothing follows the colon; give tfds:NAME"),
        ("sst:", "nothing follows the colon; give sst:PATH"),
        ("sst:/no/such/folder", "'/no/such/folder': no such file or folder"),
        ("a\0b", "no such file or folder"),
        ("~nobody-of-that-name/x", "no such file or folder"),
        ("x" * 5000, "no such file or folder"),
    ],
)
def test_parse_faults(source, message):
    assert message in refused(sources.parse, source, ["sst", "imdb"])


def test_parse_suggests_a_file_nearby(tmp_path):
    file = write(tmp_path / "reviews.csv", CSV)
    assert f"did you mean {str(file)!r}?" in refused(sources.parse, str(tmp_path / "review.csv"))


@pytest.mark.parametrize("suffix", PACKS)
def test_tables(tmp_path, suffix):
    bom = b"\xef\xbb\xbf"
    pack = PACKS[suffix]
    assert rows(write(tmp_path / f"a.csv{suffix}", pack(bom + CSV.encode()))) == [
        (2, {"text": 'It said "no", then\nleft.', "label": "negative"}),
        (4, {"text": "Good", "label": "positive"}),
    ]
    assert rows(write(tmp_path / f"a.TSV{suffix}", pack(TSV.encode()))) == [
        (2, {"text": 'It said "no", then', "label": "negative"}),
        (3, {"text": '"Good" and more', "label": "positive"}),
    ]
    assert rows(write(tmp_path / f"a.jsonl{suffix}", pack(bom + JSONL.encode()))) == [
        (1, {"text": 'It said "no"', "label": "0"}),
        (3, {"text": "Good\ud800", "label": "true"}),
    ]


def test_optional_columns_and_windows_line_ends(tmp_path):
    file = write(tmp_path / "a.csv", " text ,other\r\n\r\ngood,1\r\n\r\n")
    assert rows(file, ["text"], optional=["label", "text"]) == [(3, {"text": "good"})]
    assert rows(file, ["text"], optional=["other"]) == [(3, {"text": "good", "other": "1"})]


def test_field_of_five_megabytes(tmp_path):
    text = "word " * 1_000_000
    file = write(tmp_path / "a.csv", f'text,label\n"{text}",x\n')
    assert rows(file) == [(2, {"text": text, "label": "x"})]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv: is empty; give a table"),
        ("a.csv", "\n\r\n", "a.csv: is empty"),
        ("a.csv", "text,label\n", "a.csv: has no rows after the line of names"),
        ("a.csv", "txt,label\nx,y\n", "a.csv:1: no column 'text': did you mean 'txt'? Found 'txt', 'label'"),
        ("a.csv", "text,label\na,b\nc\n", "a.csv:3: found 1 fields where the first line has 2: put a field"),
        ("a.csv", "text,label\na,b\nc,d,e\n", "a.csv:3: found 3 fields where the first line has 2: put a"),
        ("a.csv", 'text,label\na,b\n"c,d\ne,f\n', "a.csv:3: not valid CSV (unexpected end of data)"),
        ("a.csv", 'text,label\n"a" b,c\n', "a.csv:2: not valid CSV"),
        ("a.csv", "text,label\ra,b\r", "a.csv:1: not valid CSV"),
        ("a.csv", "text,label,text\na,b,c\n", "a.csv:1: the column 'text' occurs twice"),
        ("a.csv", b"text,label\nok,1\n\xff\xfe,1\n", "a.csv:3: not UTF-8 (0xff is byte 1 of the line)"),
        ("a.csv", b"text,label\na\0b,1\n", "a.csv:2: a NUL byte"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.csv:1: not UTF-8 (0x89"),
        ("a.csv", gzip.compress(CSV.encode()), "a.csv: is gzip-compressed: end its name in .gz"),
        ("a.csv.gz", gzip.compress(CSV.encode())[:-5], "a.csv.gz: cannot be decompressed"),
        ("a.csv.xz", lzma.compress(CSV.encode())[:-5], "a.csv.xz: cannot be decompressed"),
        ("a.csv.gz", CSV, "a.csv.gz: cannot be decompressed after line 0"),
        ("a.tsv", "text\tlabel\na\tb\tc\n", "a.tsv:2: found 3 fields where the first line has 2: a field"),
        ("a.tsv", "", "a.tsv: is empty"),
        ("a.jsonl", "", "a.jsonl: is empty; give one JSON object a line"),
        ("a.jsonl", "{'text': 1}\n", "a.jsonl:1: not JSON"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1: not JSON"),
        ("a.jsonl", '["text"]\n', "a.jsonl:1: found no JSON object"),
        ("a.jsonl", '{"text": "a", "lable": 1}', "a.jsonl:1: no column 'label': did you mean 'lable'?"),
        ("a.jsonl", '{"text": null, "label": 1}', "a.jsonl:1: text: found null; give text or a number"),
        ("a.jsonl", '{"text": {"a": 1}, "label": 1}', 'a.jsonl:1: text: found {"a": 1}; give text'),
        ("a.xlsx", b"PK\x03\x04", "a.xlsx: unknown kind of file; its name must end in .csv, .tsv, .jsonl"),
        ("a", CSV, "a: unknown kind of file"),
        (".gz", CSV, ".gz: unknown kind of file"),
    ],
)
def test_table_faults(tmp_path, name, content, message):
    assert message in refused(rows, write(tmp_path / name, content))


def test_missing_file_and_folder(tmp_path):
    assert "none.csv: no such file" in refused(rows, tmp_path / "none.csv")
    assert "is a folder; a file is wanted" in refused(rows, tmp_path)
    (tmp_path / "b.csv").mkdir()
    assert "is a folder; a file is wanted" in refused(rows, tmp_path / "b.csv")


def test_many_columns_do_not_flood_the_message(tmp_path):
    header = ",".join(f"{'c' * 90}{number}" for number in range(1000))
    assert len(refused(rows, write(tmp_path / "a.csv", f"{header}\n"))) < 1500


def test_read_lines(tmp_path):
    file = write(tmp_path / "a.txt.xz", lzma.compress(b"one\r\n\ntwo"))
    assert list(sources.read_lines(file)) == [(1, "one"), (2, ""), (3, "two")]


def test_read_folder(tmp_path):
    write(tmp_path / "pos" / "b.txt", "Good,\nreally.\n")
    write(tmp_path / "pos" / "a.txt", "Fine.")
    write(tmp_path / "neg" / "a.txt", "Bad é")
    write(tmp_path / "neg" / "note.md", "no")
    write(tmp_path / ".hidden" / "a.txt", "no")
    found = [(path.name, text, label) for path, text, label in sources.read_folder(tmp_path)]
    assert found == [("a.txt", "Bad é", "neg"), ("a.txt", "Fine.", "pos"), ("b.txt", "Good,\nreally.", "pos")]


def test_folder_faults(tmp_path):
    def read(path):
        return list(sources.read_folder(path))

    assert "no such folder" in refused(read, tmp_path / "none")
    assert "no such folder" in refused(read, write(tmp_path / "file.txt", "x"))
    assert "has no sub-folders; give a folder with one sub-folder per label" in refused(read, tmp_path)
    (tmp_path / "pos").mkdir()
    assert "pos: holds no .txt files" in refused(read, tmp_path)
    write(tmp_path / "pos" / "a.txt", b"ok\n\xff")
    assert "a.txt:2: not UTF-8" in refused(read, tmp_path)


def test_label_names():
    def names(*labels):
        return TextDataset([""] * len(labels), list(labels), "x").label_names

    assert names("b", "a", "b") == ["a", "b"]
    assert names("10", "9", "-1") == ["-1", "9", "10"]
    assert names("10", "9", "x") == ["10", "9", "x"]
    assert TextDataset(["a"], None, "x").label_names == []


def test_require_classes():
    sources.require_classes(TextDataset(["a", "b"], ["x", "y"], "f.csv"))
    one = TextDataset(["a", "b"], ["x", "x"], "f.csv")
    assert refused(sources.require_classes, one) == (
        "f.csv: found only the label 'x'; training needs examples of at least two labels"
    )
    assert "found no labels" in refused(sources.require_classes, TextDataset(["a"], None, "f.csv"))


def test_split_validation():
    labels = ["a"] * 80 + ["b"] * 19 + ["c"]
    dataset = TextDataset([str(row) for row in range(100)], labels, "f.csv")
    training, validation = sources.split_validation(dataset, 0.1, seed=3)
    assert [validation.labels.count(name) for name in "abc"] == [8, 2, 0]
    assert sorted(training.texts + validation.texts, key=int) == dataset.texts
    assert training.texts == sorted(training.texts, key=int)
    assert all(labels[int(t)] == label for t, label in zip(validation.texts, validation.labels, strict=True))
    assert (training.split, validation.split, training.source) == ("train", "validation", "f.csv")
    assert sources.split_validation(dataset, 0.1, seed=3)[1].texts == validation.texts
    assert sources.split_validation(dataset, 0.1, seed=4)[1].texts != validation.texts
    small = TextDataset(["1", "2", "3"], ["a", "a", "b"], "f.csv")
    assert len(sources.split_validation(small, 0.9, 0)[1]) == 1


@pytest.mark.parametrize(
    ("labels", "fraction", "message"),
    [
        (["a", "a", "b"], 0.0, "fraction: got 0.0"),
        (["a", "a", "b"], 1, "fraction: got 1"),
        (["a", "b", "c"], 0.1, "too few examples"),
        (None, 0.1, "has no labels"),
    ],
)
def test_split_validation_faults(labels, fraction, message):
    dataset = TextDataset(["1", "2", "3"], labels, "f.csv")
    assert message in refused(sources.split_validation, dataset, fraction, 0)


# TensorFlow Datasets: no test here needs a network, and each refuses one.


def read_tfds(name, split="train", columns=("text",), **options):
    return list(sources.read_tfds(name, split, columns, **options))


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Make every connection fail the way it does without a network; nothing is prepared yet."""

    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return str(tmp_path)


def test_tfds_without_network(no_network):
    start = time.perf_counter()
    message = refused(lambda: read_tfds("imdb_reviews", data_dir=no_network))
    assert time.perf_counter() - start < 10
    assert message.startswith(
        "tfds:imdb_reviews: not prepared on this machine, and ai.stanford.edu cannot be"
    )
    assert message.endswith("connect to the network, or name a file, a folder or builtin")


def test_tfds_with_a_silent_network(monkeypatch, tmp_path):
    monkeypatch.setattr(tfds, "NETWORK_SECONDS", 0.2)
    release = threading.Event()

    def wait(*_, **__):
        release.wait(20)
        raise OSError

    monkeypatch.setattr(tfds.urllib.request, "urlopen", wait)
    message = refused(lambda: read_tfds("imdb_reviews", data_dir=str(tmp_path)))
    release.set()
    assert "cannot be reached (no answer in 0.2 s)" in message


def test_tfds_failed_download(monkeypatch, tmp_path):
    import tensorflow_datasets

    def fail(*_, **__):
        raise ConnectionError("cut off\nsecond line")

    monkeypatch.setattr(tfds, "_unreachable", lambda _: "")
    monkeypatch.setattr(tensorflow_datasets.core.DatasetBuilder, "download_and_prepare", fail)
    message = refused(lambda: read_tfds("imdb_reviews", data_dir=str(tmp_path)))
    assert message == "tfds:imdb_reviews: cannot be prepared: ConnectionError: cut off"


def test_a_server_that_refuses_the_question_is_a_network(monkeypatch):
    def answer(*_, **__):
        raise tfds.urllib.error.HTTPError("url", 405, "no HEAD", {}, None)

    monkeypatch.setattr(tfds.urllib.request, "urlopen", answer)
    assert tfds._unreachable("file:/x") == ""


def test_tfds_not_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow_datasets", None)
    assert "install it: pip install tensorflow-datasets" in refused(read_tfds, "imdb_reviews")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("imdb_revews", "unknown TFDS name 'imdb_revews': did you mean 'imdb_reviews'"),
        ("glue/sst", "tfds:glue: unknown CONFIG 'sst': did you mean 'sst2'"),
        ("imdb_reviews/nonsense_of_a_name", "unknown CONFIG 'nonsense_of_a_name'"),
    ],
)
def test_tfds_unknown_names(no_network, name, message):
    assert message in refused(lambda: read_tfds(name, data_dir=no_network))


@pytest.fixture(scope="module")
def own_builder(tmp_path_factory):
    """Prepare a small TFDS data set of our own without a network; return the folder of its data."""
    import tensorflow_datasets

    class ZooReviews(tensorflow_datasets.core.GeneratorBasedBuilder):
        """Six reviews."""

        VERSION = tensorflow_datasets.core.Version("1.0.0")
        BUILDER_CONFIGS = ()

        def _info(self):
            features = tensorflow_datasets.features
            return self.dataset_info_from_configs(
                features=features.FeaturesDict(
                    {
                        "text": features.Text(),
                        "label": features.ClassLabel(names=["neg", "pos"]),
                        "stars": features.Scalar(np.int32),
                        "image": features.Tensor(shape=(2,), dtype=np.int32),
                    }
                )
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(4), "test": self._generate_examples(2)}

        def _generate_examples(self, count):
            for row in range(count):
                label = row % 2 if count == 4 else -1
                yield row, {"text": f"Text é {row}", "label": label, "stars": row, "image": [0, 0]}

    folder = str(tmp_path_factory.mktemp("tfds"))
    ZooReviews(data_dir=folder).download_and_prepare()
    return folder


def test_tfds_own_builder(own_builder):
    found = read_tfds("zoo_reviews", columns=["text", "label", "stars"], data_dir=own_builder)
    assert sorted(found, key=lambda row: row["text"]) == [
        {"text": f"Text é {row}", "label": ("neg", "pos")[row % 2], "stars": str(row)} for row in range(4)
    ]
    assert len(read_tfds("zoo_reviews", "train[:50%]", data_dir=own_builder)) == 2
    unlabelled = read_tfds("zoo_reviews", "test", optional=["label", "absent"], data_dir=own_builder)
    assert [row["label"] for row in unlabelled] == ["", ""]
    assert sources.tfds_splits("zoo_reviews", own_builder) == ["test", "train"]


@pytest.mark.parametrize(
    ("split", "columns", "message"),
    [
        ("tset", ["text"], "tfds:zoo_reviews: unknown split 'tset': did you mean 'test'?"),
        (None, ["text"], "tfds:zoo_reviews: has the splits test, train; name one of them"),
        ("train[:x]", ["text"], "tfds:zoo_reviews: the split 'train[:x]' cannot be read"),
        ("train", ["sentence"], "tfds:zoo_reviews: no column 'sentence': Found 'text', 'label', 'stars'"),
        ("train", ["image"], "tfds:zoo_reviews: image: is no text, class or number"),
    ],
)
def test_tfds_faults(own_builder, split, columns, message):
    assert message in refused(lambda: read_tfds("zoo_reviews", split, columns, data_dir=own_builder))


def test_jsonl_numbers_become_text(tmp_path):
    line = json.dumps({"text": "a" * 5_000_000, "label": 1.5})
    assert rows(write(tmp_path / "a.jsonl", line))[0][1]["label"] == "1.5"


def test_jsonl_lists_where_they_are_asked_for(tmp_path):
    path = write(tmp_path / "a.jsonl", b'{"text": "x", "label": ["a", 1]}\n{"text": "y", "label": []}\n')
    found = [row["label"] for _, row in sources.read_table(path, ["text", "label"], lists=["label"])]
    assert found == [["a", "1"], []]
    with pytest.raises(SourceError, match=r'a.jsonl:1: label: found \["a", 1\]; give text or a number'):
        list(sources.read_table(path, ["text", "label"], lists=["text"]))
    path = write(tmp_path / "b.jsonl", b'{"text": "x", "label": [["a"]]}\n')
    with pytest.raises(SourceError, match="give text or a number"):
        list(sources.read_table(path, ["text", "label"], lists=["label"]))


def test_several_labels():
    labels = [("a", "b")] * 40 + [("b",)] * 20 + [()] * 20 + [("a", "b", "c")]
    dataset = TextDataset([str(row) for row in range(81)], labels, "f.csv", order=("b",))
    assert dataset.multi_label
    assert not TextDataset(["x"], ["a"], "f.csv").multi_label
    assert dataset.label_names == ["b", "a", "c"]
    training, validation = sources.split_validation(dataset, 0.25, seed=0)
    assert [validation.labels.count(label) for label in dict.fromkeys(labels)] == [10, 5, 5, 0]
    assert training.order == validation.order == ("b",)
    with pytest.raises(SourceError, match="found no labels"):
        sources.require_classes(TextDataset(["x"], [()], "f.csv"))
    with pytest.raises(SourceError, match="found only the label 'a'"):
        sources.require_classes(TextDataset(["x", "y"], [(), ("a",)], "f.csv"))


def test_an_empty_text_in_a_table_of_one_column_is_a_row(tmp_path):
    (tmp_path / "own.csv").write_text('text\n"first"\n""\n\n"last"\n')
    rows = [row["text"] for _, row in sources.read_table(tmp_path / "own.csv", ["text"])]
    assert rows == ["first", "", "last"]
