"""Preset folders: what is written is read, and whatever a stranger may have put there is refused."""

import errno
import hashlib
import io
import json
import os
import shutil
import socket
import stat

import h5py
import numpy as np
import pytest

from zoo import presets
from zoo.presets import PresetError, arrays, folder, store

CONFIG = {"task": "SentimentClassifier", "network": {"cell": "lstm", "units": 3, "labels": ["no", "yes"]}}
PREPROCESSOR = {"lowercase": True, "max_length": 512, "word": "naïve ∘ 漢"}
CARD = "# A card\n\né and ∘, 83 %.\n"
ASSETS = {"tokenizer.model": bytes(range(256)), "empty": b""}
METADATA = {"application": "sentiment", "metrics": {"accuracy": 0.83}, "description": "small"}


def make_weights():
    rng = np.random.default_rng(0)
    shapes = {
        "head/kernel": (6, 2),
        "embedding/embeddings": (9, 4),
        "stack/forward_0/cell/kernel": (4, 12),
        "stack/forward_0/cell/bias": (12,),
        "stack/backward-0/cell/bias": (12,),
        "temperature": (),
        "nothing/here": (0, 3),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


WEIGHTS = make_weights()
SHAPES = {name: value.shape for name, value in WEIGHTS.items()}


def write(path, **changes):
    arguments = {
        "config": CONFIG,
        "preprocessor": PREPROCESSOR,
        "weights": WEIGHTS,
        "card": CARD,
        "assets": ASSETS,
        "metadata": METADATA,
    }
    return presets.write(path, **{**arguments, **changes})


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write(tmp_path_factory.mktemp("original") / "mine")


@pytest.fixture
def preset(original, tmp_path):
    return shutil.copytree(original, tmp_path / "mine")


def replace(preset, name, blob, parameters=None):
    """Put other bytes into a preset as a clever stranger does: the metadata agree with them."""
    (preset / name).write_bytes(blob)
    metadata = json.loads((preset / "metadata.json").read_text())
    metadata["files"][name] = {"size": len(blob), "sha256": hashlib.sha256(blob).hexdigest()}
    metadata["parameters"] = metadata["parameters"] if parameters is None else parameters
    (preset / "metadata.json").write_text(json.dumps(metadata))


def change_metadata(preset, **changes):
    metadata = json.loads((preset / "metadata.json").read_text())
    (preset / "metadata.json").write_text(json.dumps({**metadata, **changes}))


def refused(preset, *parts, shapes=None):
    """Return the message of the PresetError that reading all of a preset raises; it holds all `parts`."""
    with pytest.raises(PresetError) as caught:
        presets.read(preset).weights(SHAPES if shapes is None else shapes)
    message = str(caught.value)
    for part in (str(preset), *parts):
        assert part in message
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < len(str(preset)) + 350
    return message


# ------------------------------------------------------------------ what is written is read


def test_round_trip_of_everything(tmp_path):
    path = write(tmp_path / "not yet" / "there" / "mine")
    found = presets.read(path)
    assert path == found.folder == tmp_path / "not yet" / "there" / "mine"
    assert found.config == {"format": 1, **CONFIG}
    assert found.preprocessor == PREPROCESSOR
    assert found.card == CARD
    assert found.assets == ASSETS
    assert {key: found.metadata[key] for key in METADATA} == METADATA
    assert found.metadata["format"] == 1
    assert found.metadata["dtype"] == "float32"
    assert found.metadata["parameters"] == sum(value.size for value in WEIGHTS.values())


def test_float32_round_trip_is_exact(preset):
    found = presets.read(str(preset)).weights(SHAPES)
    assert list(found) == list(SHAPES)
    for name, value in WEIGHTS.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], value)
        assert found[name].shape == value.shape


def test_extremes_of_float32_survive(tmp_path):
    info = np.finfo(np.float32)
    extremes = np.array([info.max, info.min, info.tiny, info.smallest_subnormal, -0.0], np.float32)
    found = presets.read(write(tmp_path / "p", weights={"x": extremes})).weights({"x": (5,)})["x"]
    assert found.tobytes() == extremes.tobytes()


def test_float16_round_trip_is_its_rounding(tmp_path):
    weights = {**WEIGHTS, "tiny": np.array([6e-8, 1e-9, 65504.0, -0.1], np.float32)}
    path = write(tmp_path / "p", weights=weights, dtype="float16")
    found = presets.read(path).weights({name: value.shape for name, value in weights.items()})
    for name, value in weights.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], value.astype(np.float16).astype(np.float32))
    half = (path / "model.weights.h5").stat().st_size
    assert half < (write(tmp_path / "q", weights=weights) / "model.weights.h5").stat().st_size


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_other_floats_and_layouts_are_taken(tmp_path, dtype):
    value = np.arange(6).astype(dtype).reshape(2, 3).T
    found = presets.read(write(tmp_path / "p", weights={"x": value})).weights({"x": (3, 2)})
    np.testing.assert_array_equal(found["x"], [[0, 3], [1, 4], [2, 5]])


def test_same_input_gives_same_bytes(tmp_path):
    one, two = write(tmp_path / "one"), write(tmp_path / "two")
    for path in one.rglob("*.*"):
        assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


def test_files_are_those_of_a_preset(preset):
    names = {str(path.relative_to(preset)) for path in preset.rglob("*") if path.is_file()}
    assert names == {
        "config.json", "model.weights.h5", "preprocessor.json", "metadata.json", "README.md",
        "assets/tokenizer.model", "assets/empty",
    }  # fmt: skip
    with h5py.File(preset / "model.weights.h5") as file:
        np.testing.assert_array_equal(
            file["stack/forward_0/cell/kernel"], WEIGHTS["stack/forward_0/cell/kernel"]
        )


def test_preset_without_assets_or_weights(tmp_path):
    path = write(tmp_path / "p", assets=None, metadata=None, weights={}, preprocessor={})
    assert not (path / "assets").exists()
    (path / "assets").mkdir()
    assert presets.read(path).assets == {}
    assert presets.read(path).weights({}) == {}


def test_folder_may_be_reached_through_a_link_and_moved(preset, tmp_path):
    (tmp_path / "link").symlink_to(preset)
    assert presets.read(tmp_path / "link").card == CARD
    preset.rename(tmp_path / "moved")
    assert presets.read(tmp_path / "moved").weights(SHAPES).keys() == SHAPES.keys()


# ------------------------------------------------------------------ what write refuses


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"weights": {"a/b": np.array([1.0, np.nan])}}, "'a/b' holds NaN"),
        ({"weights": {"a": np.array([np.inf], np.float32)}}, "'a' holds NaN or infinity"),
        (
            {"weights": {"a": np.array([65520.0])}, "dtype": "float16"},
            "'a' reaches 6.55e+04: too large for float16",
        ),
        ({"weights": {"a": np.array([-1e39])}}, "too large for float32"),
        ({"weights": {"a": np.arange(3)}}, "dtype int64"),
        ({"weights": {"a": np.array([None])}}, "dtype object"),
        ({"weights": {"a": np.array(["x"])}}, "dtype <U1"),
        ({"weights": {"a": np.ones(1), "a/b": np.ones(1)}}, "'a/b' is both"),
        ({"weights": {"a/b": np.ones(1), "a": np.ones(1)}}, "'a' is both"),
        ({"weights": {"../a": np.ones(1)}}, "'../a' is no variable path"),
        ({"weights": {"a//b": np.ones(1)}}, "'a//b'"),
        ({"weights": {"/a": np.ones(1)}}, "'/a'"),
        ({"weights": {"": np.ones(1)}}, "''"),
        ({"weights": {"a\x00b": np.ones(1)}}, r"'a\x00b'"),
        ({"dtype": "float15"}, "did you mean 'float16'"),
        ({"assets": {"../x": b""}}, "../x"),
        ({"assets": {"a/b": b""}}, "a/b"),
        ({"assets": {".hidden": b""}}, ".hidden"),
        ({"assets": {"x\n": b""}}, r"x\n"),
        ({"assets": {"Model": b"", "model": b""}}, "nothing but case"),
        ({"assets": {"big": bytes(16 * 2**20 + 1)}}, "16777217 bytes"),
        ({"assets": {str(number): b"" for number in range(17)}}, "files"),
        ({"metadata": {"dtype": "float16"}}, "'dtype'"),
        ({"metadata": {"application": 3}}, "application"),
        ({"metadata": {"x": np.float32(1)}}, "metadata.json"),
        ({"metadata": {"x": "y" * 2**20}}, "metadata.json"),
        ({"metadata": {"x": float("nan")}}, "metadata.json"),
        ({"config": {"network": {}}}, "config.json: task"),
        ({"config": {"task": "T"}}, "config.json: network"),
        ({"config": {**CONFIG, "format": 2}}, "format 2"),
        ({"config": {**CONFIG, "x": {1: 2}}}, "config.json"),
        ({"preprocessor": {"x": {1, 2}}}, "preprocessor.json"),
        ({"preprocessor": {"x": "\ud800"}}, "preprocessor.json"),
        ({"card": "\x1b]0;title\x07"}, "README.md"),
        ({"card": "x" * (2**20 + 1)}, "README.md"),
    ],
)
def test_write_refuses_and_leaves_nothing(tmp_path, changes, part):
    with pytest.raises(PresetError) as caught:
        write(tmp_path / "mine", **changes)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "full", "file", "link"])
def test_write_leaves_what_exists(tmp_path, kind):
    path = tmp_path / "mine"
    if kind == "file":
        path.write_text("keep")
    elif kind == "link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.mkdir()
        if kind == "full":
            (path / "thesis.txt").write_text("keep")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PresetError, match="mine exists and is left as it is: choose another name"):
        write(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_write_where_no_folder_can_be(tmp_path):
    (tmp_path / "file").write_text("keep")
    for path in (tmp_path / "file" / "mine", tmp_path / ("x" * 300), tmp_path / "a\0b"):
        with pytest.raises(PresetError, match="cannot be written"):
            write(path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("call", ["fsync", "rename", "open"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_failure_in_the_middle_leaves_nothing(tmp_path, monkeypatch, call, error):
    real, count = getattr(os, call), 0

    def fail(*arguments, **keywords):
        nonlocal count
        count += 1
        if call == "rename" or count == 3:
            raise error
        return real(*arguments, **keywords)

    monkeypatch.setattr(folder.os, call, fail)
    if call == "open":  # the built-in open of the fourth file; os.open serves the folders alone
        monkeypatch.setattr(os, "open", real)
        monkeypatch.setattr(folder, "open", fail, raising=False)
        real = open
    with pytest.raises(PresetError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        write(tmp_path / "mine")
    if isinstance(error, OSError):
        assert "mine cannot be written (No space left on device)" in str(caught.value)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "mine")


def test_folder_that_appears_meanwhile_is_kept(tmp_path, monkeypatch):
    real = os.rename

    def rename(source, target):
        other = tmp_path / "mine"
        other.mkdir()
        (other / "theirs").write_text("keep")
        real(source, target)

    monkeypatch.setattr(folder.os, "rename", rename)
    with pytest.raises(PresetError, match="mine cannot be written"):
        write(tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "theirs").read_text() == "keep"


# ------------------------------------------------------------------ folders of strangers

NAMES = ["config.json", "model.weights.h5", "preprocessor.json", "metadata.json", "README.md"]


@pytest.mark.parametrize("name", [*NAMES, "assets/tokenizer.model"])
def test_missing_file(preset, name):
    (preset / name).unlink()
    refused(preset, name)


@pytest.mark.parametrize("name", [*NAMES, "assets/tokenizer.model"])
def test_truncated_file(preset, name):
    blob = (preset / name).read_bytes()
    (preset / name).write_bytes(blob[:-3])
    refused(preset, name)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "preprocessor.json", "README.md"])
def test_altered_file(preset, name):
    blob = bytearray((preset / name).read_bytes())
    blob[len(blob) // 2] ^= 1
    (preset / name).write_bytes(bytes(blob))
    with pytest.raises(PresetError, match="altered"):
        presets.read(preset)


@pytest.mark.parametrize("name", [*NAMES, "assets/tokenizer.model", "assets"])
def test_linked_file_or_folder(preset, tmp_path, name):
    (preset / name).rename(tmp_path / "elsewhere")
    (preset / name).symlink_to(tmp_path / "elsewhere")
    refused(preset, name, "link")


# only root can make a device; the check that refuses one is the one that refuses a pipe
KINDS = ["pipe", "socket", "folder", "loop", "dangling", *(["device"] if os.geteuid() == 0 else [])]


@pytest.mark.parametrize("name", ["config.json", "assets/empty"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_regular_file(preset, name, kind, monkeypatch):
    path = preset / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        monkeypatch.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    else:
        path.symlink_to(path if kind == "loop" else "nowhere")
    refused(preset, name, "no regular file")


def test_file_exchanged_for_a_link_or_pipe_after_the_listing(preset, monkeypatch):
    real, path = folder._names, preset / "config.json"
    for swap in (lambda: path.symlink_to(preset / "README.md"), lambda: os.mkfifo(path)):

        def names(*arguments, swap=swap):
            found = real(*arguments)
            path.unlink(missing_ok=True)
            swap()
            return found

        path.unlink()
        path.write_text("{}")
        monkeypatch.setattr(folder, "_names", names)
        refused(preset, "config.json")
        monkeypatch.undo()


def test_weights_exchanged_after_read(preset):
    opened = presets.read(preset)
    other = arrays.encode({name: value + 1 for name, value in WEIGHTS.items()}, "float32", "f")
    (preset / "model.weights.h5").write_bytes(other)
    with pytest.raises(PresetError, match=r"model\.weights\.h5: altered"):
        opened.weights(SHAPES)
    replace(preset, "model.weights.h5", other)
    np.testing.assert_array_equal(
        presets.read(preset).weights(SHAPES)["temperature"], WEIGHTS["temperature"] + 1
    )


@pytest.mark.parametrize(
    "name", ["model.py", "Config.json", ".DS_Store", "x\x1b[2J\n", "assets/.x", "assets/a b", "a/"]
)
def test_extra_file(preset, name):
    if name.endswith("/"):
        (preset / name).mkdir()
    else:
        (preset / name).write_bytes(b"")
    refused(preset, repr(name.rstrip("/"))[1:-1], "no file of a preset")


def test_extra_asset_and_folder_within_assets(preset):
    (preset / "assets" / "more").write_bytes(b"")
    refused(preset, "more", "not listed")
    (preset / "assets" / "more").unlink()
    (preset / "assets" / "deeper").mkdir()
    refused(preset, "deeper", "no regular file")


def test_too_many_assets(preset):
    for number in range(20):
        (preset / "assets" / str(number)).write_bytes(b"")
    refused(preset, "assets", "more than 16")


@pytest.mark.parametrize("name", [*NAMES, "assets/empty"])
def test_huge_sparse_file_is_not_read(preset, name):
    os.truncate(preset / name, 2**40)
    refused(preset, name, "1099511627776 bytes")


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "assets/../config.json", "assets", "", "config.json/", "a\n"]
)
def test_paths_in_the_metadata_open_nothing(preset, path, monkeypatch):
    metadata = json.loads((preset / "metadata.json").read_text())
    files = {**metadata["files"], path: metadata["files"]["config.json"]}
    change_metadata(preset, files=files)
    opened, real = [], os.open

    def watch(name, *arguments, **keywords):
        opened.append(os.fspath(name))
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(folder.os, "open", watch)
    refused(preset, "metadata.json")
    assert set(opened) <= {str(preset), *NAMES, "assets", *ASSETS}


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"format": True},
        {"dtype": "float64"},
        {"dtype": ["float16"]},
        {"parameters": -1},
        {"parameters": 10**6},
        {"parameters": 2**40},
        {"parameters": 1},
        {"files": {}},
        {"files": []},
        {"files": {"config.json": None}},
        {"files": {"config.json": {"size": 1, "sha256": "x" * 64}}},
        {"description": "\x1b[31mred"},
        {"description": "\ud800"},
    ],
)
def test_bad_metadata(preset, changes):
    change_metadata(preset, **changes)
    refused(preset, "metadata.json")


def test_newer_format_says_upgrade(preset):
    replace(preset, "config.json", b'{"format": 2, "something": "new"}')
    refused(preset, "config.json", "format 2", "upgrade lstm-zoo")


@pytest.mark.parametrize("name", ["config.json", "preprocessor.json", "metadata.json"])
@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"format": 1, "x": NaN}',
        b'{"format": 1, "x": -Infinity}',
        b'{"format": 1, "x": 1e999}',
        b'{"format": 1, "format": 1}',
        b'{"format": 1, "x": {"y": 1, "y": 1}}',
        b'{"format": 1, "x": "\\ud800"}',
        b'{"format": 1, "x": "\\u0000"}',
        b'{"format": 1, "x": "\xff"}',
        b'{"format": 1, "x": ' + b"9" * 5000 + b"}",
        b'{"format": 1, "x": 99999999999999999999}',
        b'\xef\xbb\xbf{"format": 1}',
        b'{"format": 1, "x": ' + b"[" * 20 + b"]" * 20 + b"}",
        b'{"x":' * 150_000,
        b"[" * 1_000_000,
        b'{"format": 1} // comment',
    ],
    ids=range(19),
)
def test_no_strict_json(preset, name, blob):
    if name == "metadata.json":
        (preset / name).write_bytes(blob)
    else:
        replace(preset, name, blob)
    refused(preset, name)


def test_card_of_a_stranger(preset):
    for blob in (b"\xff", b"\x1b[2J", "\u202e".encode()):
        replace(preset, "README.md", blob)
        refused(preset, "README.md")


@pytest.mark.parametrize("path", ["", "nowhere", "file", "a\0b", "x" * 300])
def test_no_folder(tmp_path, path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PresetError):
        presets.read(tmp_path / path)


# ------------------------------------------------------------------ weight files of strangers


def h5(**items):
    """Return HDF5 bytes: WEIGHTS, but each of `items`, name -> function(file, name), made by it."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="earliest") as file:
        for name, value in WEIGHTS.items():
            if name not in items:
                file.create_dataset(name, data=value, track_times=False)
        for name, make in items.items():
            make(file, name)
    return buffer.getvalue()


NAME, SHAPE = "embedding/embeddings", (9, 4)


def dataset(**options):
    return lambda file, name: file.create_dataset(name, **options)


def link(target):
    return lambda file, name: file.__setitem__(name, target)


def virtual(file, name):
    layout = h5py.VirtualLayout(SHAPE, "<f4")
    layout[:] = h5py.VirtualSource("secret.h5", "x", SHAPE)
    file.create_virtual_dataset(name, layout)


def external(file, name):
    file.create_dataset(name, SHAPE, "<f4", external=[("secret.raw", 0, 144)])


def unwritten(file, name):
    file.create_dataset(name, SHAPE, "<f4")


def compact(file, name):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    group, last = (
        file[name.rsplit("/", 1)[0]] if "embedding" in file else file.create_group("embedding"),
        b"embeddings",
    )
    space = h5py.h5s.create_simple(SHAPE)
    h5py.h5d.create(group.id, last, h5py.h5t.IEEE_F32LE, space, properties).write(
        h5py.h5s.ALL, h5py.h5s.ALL, WEIGHTS[NAME]
    )


def parent(file, name):
    file["embedding/embeddings"] = file["/"]


def opaque(file, name):
    kind = h5py.h5t.create(h5py.h5t.OPAQUE, 4)
    kind.set_tag(b"NUMPY:object")
    file.create_group("embedding")
    h5py.h5d.create(file["embedding"].id, b"embeddings", kind, h5py.h5s.create_simple(SHAPE))


def in_place_of_group(file, name):
    file["embedding"] = np.ones(1, "<f4")


def null(file, name):
    file.create_dataset(name, data=h5py.Empty("<f4"))


ONES = np.ones(SHAPE)
STRUCTURED = np.zeros(SHAPE, [("x", "<f4"), ("y", "<f4")])


@pytest.mark.parametrize(
    ("make", "part"),
    [
        pytest.param(link(h5py.SoftLink("/temperature")), "is a link", id="soft link"),
        pytest.param(link(h5py.SoftLink("/nowhere")), "is a link", id="dangling soft link"),
        pytest.param(link(h5py.ExternalLink("/etc/hostname", "/x")), "is a link", id="external link"),
        pytest.param(virtual, "virtual", id="virtual"),
        pytest.param(external, "external", id="external"),
        pytest.param(compact, "plain storage", id="compact"),
        pytest.param(dataset(data=ONES.astype("<f4"), chunks=(3, 2)), "chunked", id="chunked"),
        pytest.param(dataset(data=ONES.astype("<f4"), compression="gzip"), "compressed", id="gzip"),
        pytest.param(dataset(data=ONES.astype("<f4"), compression="lzf"), "compressed", id="lzf"),
        pytest.param(dataset(data=ONES.astype("<f4"), fletcher32=True), "compressed", id="checksum"),
        pytest.param(dataset(shape=SHAPE, dtype="<f4", maxshape=(None, 4)), "chunked", id="resizable"),
        pytest.param(
            dataset(shape=(10**9, 10**6), dtype="<f4", chunks=(10, 10), compression="gzip"),
            "chunked",
            id="bomb",
        ),
        pytest.param(dataset(shape=(2**40,), dtype="<f4", chunks=(1,)), "chunked", id="huge shape"),
        pytest.param(unwritten, "too few numbers", id="nothing stored"),
        pytest.param(null, "has shape None", id="null"),
        pytest.param(dataset(data=ONES.astype(">f4")), "type other", id="big-endian"),
        pytest.param(dataset(data=ONES), "type other", id="float64"),
        pytest.param(dataset(data=ONES.astype("<i4")), "type other", id="integers"),
        pytest.param(dataset(data=ONES.astype(bool)), "type other", id="booleans"),
        pytest.param(dataset(data=ONES.astype(complex)), "type other", id="complex"),
        pytest.param(dataset(data=STRUCTURED), "type other", id="compound"),
        pytest.param(dataset(data=ONES.astype("S4")), "type other", id="bytes"),
        pytest.param(dataset(shape=SHAPE, dtype=h5py.string_dtype()), "type other", id="strings"),
        pytest.param(dataset(shape=SHAPE, dtype=h5py.vlen_dtype("<f4")), "type other", id="ragged"),
        pytest.param(dataset(shape=SHAPE, dtype=h5py.ref_dtype), "type other", id="references"),
        pytest.param(opaque, "type other", id="opaque"),
        pytest.param(
            dataset(data=ONES.astype("<f4").T), "has shape (4, 9), the network needs (9, 4)", id="shape"
        ),
        pytest.param(dataset(data=np.ones(36, "<f4")), "has shape (36,)", id="rank"),
        pytest.param(dataset(data=np.full(SHAPE, np.nan, "<f4")), "NaN or infinity", id="NaN"),
        pytest.param(dataset(data=np.full(SHAPE, -np.inf, "<f2")), "NaN or infinity", id="infinity"),
        pytest.param(link(np.dtype("<f4")), "is a datatype", id="named type"),
        pytest.param(lambda file, name: file.create_group(name), "is a group", id="group"),
        pytest.param(parent, "is a group", id="cycle"),
        pytest.param(lambda file, name: file.create_group("embedding"), "is missing", id="missing"),
        pytest.param(lambda file, name: None, "'/embedding' is missing", id="missing group"),
        pytest.param(in_place_of_group, "'/embedding' is a dataset", id="dataset for group"),
    ],
)
def test_weight_file_of_a_stranger(preset, make, part, monkeypatch):
    monkeypatch.chdir(preset.parent)
    replace(preset, "model.weights.h5", h5(**{NAME: make}))
    refused(preset, "model.weights.h5", "embedding", part)


def test_linked_group(preset):
    def make(file, name):
        file["embedding"] = h5py.SoftLink("/head")

    replace(preset, "model.weights.h5", h5(**{NAME: make}))
    refused(preset, "model.weights.h5", "'/embedding' is a link")


def test_groups_in_a_circle_end(preset):
    replace(
        preset,
        "model.weights.h5",
        h5(**{"stack/loop": lambda file, name: file.__setitem__(name, file["stack"])}),
    )
    refused(preset, "'/stack/loop' is no variable")


def test_many_links_are_not_listed(preset):
    def make(file, name):
        for number in range(3000):
            file[f"head/{number}"] = file["head/kernel"]

    replace(preset, "model.weights.h5", h5(more=make))
    refused(preset, "head/", "is no variable of the network")


def test_names_in_odd_bytes(preset):
    replace(
        preset,
        "model.weights.h5",
        h5(odd=lambda file, name: file["/"].id.link(b"temperature", b"\xff\x1b[2J\n")),
    )
    refused(preset, "is no variable of the network")


def test_attributes_are_not_read(preset):
    def make(file, name):
        file.attrs["keras_version"] = "x" * 10_000
        data = file.create_dataset(name, data=WEIGHTS[NAME])
        data.attrs["class"] = np.array([b"os.system"])

    replace(preset, "model.weights.h5", h5(**{NAME: make}))
    np.testing.assert_array_equal(presets.read(preset).weights(SHAPES)[NAME], WEIGHTS[NAME])


def test_no_file_but_the_preset_is_opened(preset, tmp_path, monkeypatch):
    """Pipes stand where virtual and external data point to: opening one would wait for ever."""
    monkeypatch.chdir(tmp_path)
    for name in ("secret.h5", "secret.raw"):
        os.mkfifo(tmp_path / name)
    for make in (virtual, external, link(h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x"))):
        replace(preset, "model.weights.h5", h5(**{NAME: make}))
        refused(preset, "model.weights.h5", "embedding")


def test_variables_of_another_network(preset):
    extra = {**SHAPES, "head/bias": (2,)}
    refused(preset, "model.weights.h5", "'/head/bias' is missing", shapes=extra)
    fewer = {name: shape for name, shape in SHAPES.items() if name != "head/kernel"}
    refused(preset, "model.weights.h5", "'/head' is no variable", shapes=fewer)
    refused(preset, "model.weights.h5", "shape (6, 2)", shapes={**SHAPES, "head/kernel": (6, 3)})


def test_shapes_beyond_the_file_take_no_memory(preset):
    refused(preset, "cannot hold the network's", shapes={**SHAPES, "head/kernel": (2**40, 2**40)})


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda blob: b"", id="empty"),
        pytest.param(lambda blob: bytes(len(blob)), id="zeros"),
        pytest.param(lambda blob: blob[:-1], id="cut"),
        pytest.param(lambda blob: blob[:100] + bytes(len(blob) - 100), id="wiped"),
        pytest.param(lambda blob: blob[:8] + b"\2" + blob[9:], id="superblock version"),
        pytest.param(lambda blob: blob[:48] + bytes(8) + blob[56:], id="driver information"),
        pytest.param(lambda blob: blob[:24] + b"\1" + blob[25:], id="base address"),
        pytest.param(lambda blob: bytes(512) + blob, id="user block"),
    ],
)
def test_damaged_weight_file(preset, spoil):
    blob = (preset / "model.weights.h5").read_bytes()
    replace(preset, "model.weights.h5", spoil(blob), parameters=0)
    refused(preset, "model.weights.h5")


def test_newer_superblock_is_refused(preset):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="latest") as file:
        for name, value in WEIGHTS.items():
            file[name] = value
    replace(preset, "model.weights.h5", buffer.getvalue())
    refused(preset, "model.weights.h5", "not an HDF5 file of the plain form")


def test_any_flipped_byte_gives_arrays_or_a_preset_error():
    blob = arrays.encode(WEIGHTS, "float16", "f")
    rng = np.random.default_rng(0)
    messages = []
    for place in rng.choice(len(blob), 150, replace=False):
        spoiled = bytearray(blob)
        spoiled[place] ^= rng.integers(1, 256)
        try:
            found = arrays.decode(bytes(spoiled), SHAPES, "f")
        except PresetError as error:
            messages.append(str(error))
            continue
        assert {name: value.shape for name, value in found.items()} == SHAPES
        assert all(np.isfinite(value).all() for value in found.values())
    assert messages
    assert all(message.startswith("f: ") and message.isprintable() for message in messages)


# ------------------------------------------------------------------ which folder is meant


def test_resolve_folders(preset, tmp_path, monkeypatch):
    assert presets.resolve(preset) == preset
    (tmp_path / "run" / "logs").mkdir(parents=True)
    run = write(tmp_path / "run" / "preset")
    assert presets.resolve(str(tmp_path / "run")) == run
    monkeypatch.chdir(tmp_path)
    assert presets.read(presets.resolve("mine")).card == CARD
    (preset / "config.json").unlink()
    assert presets.resolve(preset) == preset  # read says what is missing


def test_shipped_name_wins(tmp_path, monkeypatch):
    shipped = tmp_path / "shipped"
    for name in ("b_two", "a_one", ".b.1.partial", "__pycache__"):
        write(shipped / name)
    (shipped / "no_preset").mkdir()
    monkeypatch.setattr(store, "resources", lambda package: shipped)
    assert list(presets.list_presets()) == ["a_one", "b_two"]
    monkeypatch.chdir(tmp_path)
    mine = write(tmp_path / "a_one")
    assert presets.resolve("a_one") == shipped / "a_one"
    assert presets.resolve("./a_one") == mine.relative_to(tmp_path)
    assert presets.resolve(mine) == mine
    with pytest.raises(PresetError, match="unknown preset 'a_oen': did you mean 'a_one'"):
        presets.resolve("a_oen")


@pytest.mark.parametrize("name", ["", "nowhere", "a\0b", "x" * 300, "a/../b"])
def test_resolve_what_is_not_there(name):
    with pytest.raises(PresetError, match=r"unknown preset .* give a preset folder or a run folder"):
        presets.resolve(name)


def test_resolve_a_file_or_another_folder(preset, tmp_path):
    with pytest.raises(PresetError, match=r"config\.json is a file: a preset is a folder"):
        presets.resolve(preset / "config.json")
    with pytest.raises(PresetError, match="is no preset and no run folder"):
        presets.resolve(tmp_path)


def test_every_shipped_preset_is_sound():
    for path in presets.list_presets().values():
        assert presets.read(path).metadata["files"]["model.weights.h5"]["size"] <= 10 * 2**20
