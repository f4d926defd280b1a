"""The `zoo` command, on an application of its own that needs no training and no backend."""

import io
import json
import os
import re
import resource
import subprocess
import sys
import textwrap
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import applications
import zoo
from applications import cli
from applications.core import backend, catalogue
from zoo.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("keras", "tensorflow", "jax", "torch", "sklearn", "matplotlib", "pandas", "scipy", "numpy", "rich")

PARTS = {
    "__init__": "",
    "options": """
        NAME, TASK, SUMMARY = "echo", "Echo", "Say what was said."
        ANSWERS = "texts"
        COLUMNS = {"text_column": "text", "label_column": "label"}
        ANSWERING = {}
    """,
    "baselines": "",
    "recipes": """
        from dataclasses import dataclass

        @dataclass(frozen=True)
        class Recipe:
            cell: str = "lstm"
            units: int = 8

        RECIPES = {"tiny": Recipe(units=2), "large": Recipe()}

        @dataclass(frozen=True)
        class Finetuning:
            epochs: int = 3
            batch_size: int = 32
            learning_rate: float = 0.1
            discriminative: float = 1.0
            class_weight: str | None = None
            calibrate: bool = True
            threshold: str | None = None

        FINETUNING = Finetuning()
    """,
    "data": """
        from applications.core.sources import TextDataset, read_table

        CORPORA = ()

        def load(source, split=None, *, text_column="text", label_column="label"):
            rows = [row for _, row in read_table(source, [text_column, label_column])]
            texts, labels = ([row[name] for row in rows] for name in (text_column, label_column))
            return TextDataset(texts, labels, source, split)
    """,
    "report": """
        def evaluate(task, dataset):
            right = [a.label == b for a, b in zip(task.predict(dataset.texts), dataset.labels)]
            return {"accuracy": sum(right) / len(right)}

        def write(task, dataset, folder, **_):
            folder.mkdir(parents=True)
            (folder / "report.md").write_text("# Report")
            return {"metrics": evaluate(task, dataset)}
    """,
    "predict": """
        from importlib import import_module

        from applications.core import answers

        FORMATS, PICTURES = answers.FORMATS, (".png", ".svg", ".pdf")
        asked = []

        def check(texts, count, *, drawn):
            pass

        def answering(task, **how):
            asked.append(how)
            return task

        def draw(task, block, count, path):
            draw = import_module("applications.core.plots").predictions
            draw([row.text for row in block], [row.answer for row in block], path)
    """,
    "explain": """
        from zoo.errors import UserError

        SUFFIXES = (".html", ".png")

        def explain(task, text, *, label, steps):
            if not text:
                raise UserError("explain: the text is empty")
            return task.predict([text])[0], label, steps

        def to_lines(found):
            return f"{found[0].label}\\t{found[1]}\\t{found[2]}\\n"

        def write(found, path):
            path.write_text(to_lines(found))
    """,
    "train": """
        from applications.echo import data
        from zoo import presets
        from zoo.errors import UserError

        calls = []
        fault = None

        def train(recipe, source, out, **options):
            dataset = data.load(source, text_column=options["text_column"])
            calls.append((recipe, len(dataset), options))
            (out / "checkpoints").mkdir(exist_ok=True)
            if fault is not None:
                (out / "checkpoints" / "state").write_text("half of the way")
                raise fault
            return presets.write(
                out / "preset", config={"task": "Echo", "network": {"units": 3}}, preprocessor={},
                weights={}, card="# Echo", metadata={"application": "echo"},
            )

        finetune = train
    """,
}


@dataclass
class Answer:
    label: str
    probability: float

    def to_dict(self):
        return {"label": self.label, "probability": self.probability, "probabilities": {"loud": 0.25}}


class Echo:
    """Answers `loud` where there is an exclamation mark."""

    def predict(self, texts, *, progress=None):
        progress and progress(len(texts))
        return [Answer("loud" if "!" in text else "quiet", 0.75) for text in texts]


@pytest.fixture(autouse=True)
def echo(monkeypatch, tmp_path):
    """An application `echo` beside the real ones, its task in place of `zoo.tasks`, and no backend."""
    folder = tmp_path / "applications" / "echo"
    folder.mkdir(parents=True)
    for name, source in PARTS.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.setattr(applications, "__path__", [*applications.__path__, str(folder.parent)])
    monkeypatch.setattr(catalogue._applications, "__path__", applications.__path__)
    tasks = ModuleType("zoo.tasks")
    tasks.from_preset = lambda folder: Echo()
    monkeypatch.setitem(sys.modules, "zoo.tasks", tasks)
    monkeypatch.setattr(backend, "starting", nullcontext)
    monkeypatch.setattr(backend, "versions", lambda: {"zoo_version": zoo.__version__, "backend": "none"})
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("applications.echo")]:
        del sys.modules[name]


@pytest.fixture
def preset(tmp_path):
    """A preset of the application `echo`."""
    return zoo.presets.write(
        tmp_path / "shout",
        config={"task": "Echo", "network": {"units": 3}},
        preprocessor={},
        weights={"kernel": np.ones(5)},
        card="# Echo\n\nIt listens.",
        metadata={"application": "echo"},
    )


@pytest.fixture
def table(tmp_path):
    """Three labelled texts, the last of which the task gets wrong."""
    path = tmp_path / "own.csv"
    path.write_text('text,label\nHello!,loud\n"well, yes",quiet\nno,loud\n')
    return path


@pytest.fixture
def call(capsys):
    """Run the command line in this process; give its exit status, output and messages."""

    def run(*argv):
        with pytest.raises(SystemExit) as exit_:
            cli.main([str(arg) for arg in argv])
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    return run


@pytest.fixture
def refused(call, tmp_path):
    """Run the command line; it must end with status 2 and one line, and leave every file as it was."""

    def run(*argv):
        before = files(tmp_path)
        status, out, err = call(*argv)
        assert (status, out) == (2, "")
        assert err.startswith("zoo: error: ")
        assert err.count("\n") == 1
        assert files(tmp_path) == before
        return err.removeprefix("zoo: error: ").rstrip()

    return run


def files(folder: Path) -> dict[str, bytes | None]:
    """Return all below a folder, caches of Python aside, with what the files hold."""
    found = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return {str(path): path.read_bytes() if path.is_file() else None for path in found}


def process(*argv, **options):
    """Run the command line in a process of its own."""
    code = "from applications.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    options = {"capture_output": True, "text": True, "timeout": 120, **options}
    return subprocess.run([sys.executable, "-c", code, *map(str, argv)], env=env, **options)


# --- listing ----------------------------------------------------------------------------------------------


def test_version(call):
    assert call("--version") == (0, f"zoo {zoo.__version__}\n", "")


def test_no_arguments_show_the_help(call):
    assert call() == call("--help")


def test_list_applications(call):
    status, out, err = call("list", "applications")
    assert (status, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert lines["echo"].endswith("Say what was said. Recipes: tiny, large.")
    assert {"forecasting", "sentiment", "translation"} <= set(lines)


def test_list_cells_is_the_catalogue(call):
    from zoo.cells import CATALOGUE

    status, out, err = call("list", "cells")
    assert (status, err) == (0, "")
    said = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert said == {name: cell.__doc__.partition("\n")[0] for name, cell in CATALOGUE.items()}


def test_list_presets(call, preset, monkeypatch):
    monkeypatch.setattr(zoo.presets, "list_presets", lambda: {"shout": preset})
    assert call("list", "presets") == (0, "shout\n", "")
    monkeypatch.setattr(zoo.presets, "list_presets", dict)
    assert call("list", "presets") == (0, "", "zoo: there are no presets\n")


def test_info(call, preset):
    status, out, err = call("info", preset)
    assert (status, err) == (0, "")
    assert {"application: echo", "task: Echo", "units: 3", "# Echo", "It listens."} <= set(out.splitlines())
    assert "parameters: 5 in float32, 0.0 MB" in out


@pytest.mark.parametrize(
    "verb", ["", "list", "info", "train", "finetune", "evaluate", "predict", "explain", "publish"]
)
def test_help_at_every_level(call, verb):
    status, out, err = call(*verb.split(), "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: zoo {verb}".rstrip())
    assert "Traceback" not in out


# --- quickness --------------------------------------------------------------------------------------------

QUICK = [
    ["--help"],
    ["--version"],
    ["train", "--help"],
    ["predict", "--help"],
    ["list", "cells"],
    [],
    ["trian"],
    ["train"],
    ["train", "sentment", "--recipe", "tiny", "--data", "builtin", "--out", "x"],
    ["predict"],
    ["predict", "x", "--inptu", "y"],
    ["list", "cels"],
]


def test_help_and_mistakes_import_nothing_slow():
    code = f"""
        import contextlib, io, sys
        from applications.cli import main
        for argv in {QUICK!r}:
            with contextlib.suppress(SystemExit):
                main(argv)
            heavy = [name for name in {HEAVY!r} if name in sys.modules]
            assert not heavy, (argv, heavy)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "argv", [["--help"], ["train"], ["train", "x", "--recipe", "x", "--data", "x", "--out", "x"]]
)
def test_help_and_mistakes_answer_within_half_a_second(argv):
    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process(*argv)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.5  # of the processor: the clock counts other processes too


# --- predict ----------------------------------------------------------------------------------------------


def test_predict_prints_answers_alone(call, preset):
    assert call("predict", preset, "Hello!", "a\tb\nc", "") == (
        0,
        "loud\t0.7500\tHello!\nquiet\t0.7500\ta b c\nquiet\t0.7500\t\n",
        "",
    )


def test_predict_takes_texts_that_look_like_options(call, preset):
    assert call("predict", preset, "--", "--wow!") == (0, "loud\t0.7500\t--wow!\n", "")


def test_predict_json_on_standard_output(call, preset):
    status, out, err = call("predict", preset, "Hello!", "Ünd", "--json", "-")
    assert (status, err) == (0, "")
    assert json.loads(out) == [
        {"text": "Hello!", "label": "loud", "probability": 0.75, "probabilities": {"loud": 0.25}},
        {"text": "Ünd", "label": "quiet", "probability": 0.75, "probabilities": {"loud": 0.25}},
    ]


def test_predict_answers_in_the_order_of_a_file(call, preset, table, tmp_path):
    (tmp_path / "in.txt").write_text("one!\n\nthree\n")
    assert call("predict", preset, "--input", "in.txt")[1] == (
        "loud\t0.7500\tone!\nquiet\t0.7500\t\nquiet\t0.7500\tthree\n"
    )
    assert call("predict", preset, "--input", table)[1].splitlines()[1] == "quiet\t0.7500\twell, yes"
    assert call("predict", preset, "--input", table, "--text-column", "label")[1].count("quiet\t0.75") == 3


@pytest.mark.parametrize("suffix", ["txt", "csv", "tsv", "jsonl", "json"])
def test_predict_writes_what_the_suffix_says(call, preset, suffix, tmp_path):
    status, out, err = call("predict", preset, 'a "b", c!', "d", "--output", f"out.{suffix}")
    assert (status, out, err) == (0, "", "")
    rows = [
        {"text": 'a "b", c!', "label": "loud", "probability": 0.75, "probabilities": {"loud": 0.25}},
        {"text": "d", "label": "quiet", "probability": 0.75, "probabilities": {"loud": 0.25}},
    ]
    wanted = {
        "txt": 'loud\t0.7500\ta "b", c!\nquiet\t0.7500\td\n',
        "csv": 'text,label,probability\n"a ""b"", c!",loud,0.75\nd,quiet,0.75\n',
        "tsv": 'text\tlabel\tprobability\n"a ""b"", c!"\tloud\t0.75\nd\tquiet\t0.75\n',
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "json": json.dumps(rows, indent=2) + "\n",
    }
    assert (tmp_path / f"out.{suffix}").read_text() == wanted[suffix]


@pytest.fixture
def many(tmp_path):
    """A file of more texts than a block holds; every third one is loud."""
    path = tmp_path / "many.csv"
    rows = (f"n{number},text {number}{'.!'[number % 3 == 0]}\n" for number in range(5000))
    path.write_text("id,text\n" + "".join(rows))
    return path


def test_predict_streams_a_file_in_order(call, preset, many, tmp_path):
    argv = "--input", many, "--output", "out.csv", "--json", "out.json", "--id-column", "id"
    status, out, err = call("predict", preset, *argv)
    assert (status, out) == (0, "")
    assert re.fullmatch(r"zoo: 5,000 texts in \d+\.\d s: [\d,]+ texts/s\n", err)
    names = [("quiet", "loud")[number % 3 == 0] for number in range(5000)]
    assert (tmp_path / "out.csv").read_text() == "id,text,label,probability\n" + "".join(
        f"n{number},text {number}{'.!'[name == 'loud']},{name},0.75\n" for number, name in enumerate(names)
    )
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [row["label"] for row in rows] == names
    assert rows[4999]["id"] == "n4999"


def test_predict_without_texts(call, preset, many, tmp_path):
    argv = "--input", many, "--id-column", "id", "--no-text", "--quiet"
    status, out, err = call("predict", preset, *argv)
    assert (status, err) == (0, "")
    assert out.startswith("n0\tloud\t0.7500\nn1\tquiet\t0.7500\n")
    assert out.count("\n") == 5000
    assert call("predict", preset, *argv, "--output", "out.tsv") == (0, "", "")
    assert (tmp_path / "out.tsv").read_text().startswith("id\tlabel\tprobability\nn0\tloud\t0.75\n")


def test_predict_shows_how_far_and_how_fast(call, preset, many, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = call("predict", preset, "--input", many, "--output", "out.csv")[2]
    assert re.search(r"[\d,]+ texts/s  \[#+-+\]  2048/5000", shown)
    assert re.search(r"[\d,]+ texts/s  \[#+\]  5000/5000", shown)
    assert call("predict", preset, "--input", many, "--output", "quiet.csv", "--quiet") == (0, "", "")


def test_predict_on_a_full_disk(refused, preset, many):
    """Nothing is left where the file cannot grow any more in the middle of the stream."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        said = refused("predict", preset, "--input", many, "--output", "out.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said == "File too large"


def test_predict_writes_json_and_a_table_at_once(call, preset, tmp_path):
    assert call("predict", preset, "x", "--output", "a.csv", "--json", "b.json") == (0, "", "")
    assert json.loads((tmp_path / "b.json").read_text())[0]["label"] == "quiet"
    assert (tmp_path / "a.csv").exists()


def test_predict_answers_for_a_lone_surrogate(call, preset, tmp_path):
    status, out, _ = call("predict", preset, "\udc80!")
    assert (status, out) == (0, "loud\t0.7500\t\\udc80!\n")
    status, out, _ = call("predict", preset, "\udc80", "--json", "-")
    assert json.loads(out)[0]["text"] == "\udc80"
    assert call("predict", preset, "\udc80", "--output", "x.jsonl")[0] == 0
    assert json.loads((tmp_path / "x.jsonl").read_text())["text"] == "\udc80"


def test_predict_draws(call, preset, monkeypatch, tmp_path):
    plots = ModuleType("applications.core.plots")
    plots.predictions = lambda texts, answers, path: path.write_text(f"{texts} {answers[0].label}")
    monkeypatch.setitem(sys.modules, "applications.core.plots", plots)
    assert call("predict", preset, "Oh!", "--plot", "oh.png") == (0, "loud\t0.7500\tOh!\n", "")
    assert (tmp_path / "oh.png").read_text() == "['Oh!'] loud"


def test_predict_leaves_no_half_picture(preset, refused, monkeypatch):
    def broken(texts, answers, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    plots = ModuleType("applications.core.plots")
    plots.predictions = broken
    monkeypatch.setitem(sys.modules, "applications.core.plots", plots)
    assert refused("predict", preset, "x", "--plot", "oh.png") == "No space left on device"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "predict: give texts or --input, one of them"),
        (("x", "--input", "own.csv"), "predict: give texts or --input, one of them"),
        (("--input", "nope.csv"), "nope.csv: no such file"),
        (("--input", "shout"), "shout: is a folder"),
        (("--input", "empty.txt"), "empty.txt: is empty"),
        (("--input", "latin.txt"), "latin.txt:2: not UTF-8"),
        (("--input", "nul.txt"), "nul.txt:1: a NUL byte"),
        (
            ("--input", "own.csv", "--text-column", "txet"),
            "own.csv:1: no column 'txet': did you mean 'text'?",
        ),
        (("x", "--output", "own.csv"), "own.csv exists and is left as it is"),
        (("x", "--json", "own.csv"), "own.csv exists and is left as it is"),
        (("x", "--output", "link.csv"), "link.csv exists and is left as it is"),
        (("x", "--output", "a.xlsx"), "a.xlsx: unknown suffix '.xlsx'"),
        (("x", "--output", "no/a.csv"), "no/a.csv: there is no folder no"),
        (("x", "--output", "own.csv/a.csv"), "own.csv/a.csv: there is no folder own.csv"),
        (("x", "--plot", "a.doc"), "a.doc: unknown suffix '.doc'"),
        (("x", "--output", "a.json", "--json", "a.json"), "a.json: is given to --output and to --json"),
        (("x", "--id-column", "id"), "--id-column: is a column of a file: give --input"),
        (
            ("--input", "own.csv", "--id-column", "lable"),
            "own.csv:1: no column 'lable': did you mean 'label'?",
        ),
        (("--input", "good.txt", "--id-column", "id"), "good.txt: has no columns: leave out --id-column"),
        (
            ("--input", "own.csv", "--id-column", "label", "--output", "a.csv"),
            "--id-column: the answers have a column 'label' of their own",
        ),
        (("x", "--no-text", "--plot", "a.png"), "--no-text: --plot draws the texts"),
        (("--input", "long.csv"), "long.csv:3002: found 1 fields where the first line has 2"),
        (("x", "--outptu", "a.csv"), "No such option: --outptu"),
        (("x", "--output"), "Option '--output' requires an argument."),
    ],
)
def test_predict_refuses(refused, preset, table, tmp_path, argv, said):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "latin.txt").write_bytes(b"one\nf\xfcr\n")
    (tmp_path / "nul.txt").write_bytes(b"one\0\n")
    (tmp_path / "good.txt").write_text("one\n")
    (tmp_path / "long.csv").write_text("id,text\n" + "1,a\n" * 3000 + "2\n")
    (tmp_path / "link.csv").symlink_to("nowhere")
    assert said in refused("predict", preset, *argv)


def test_an_output_that_cannot_be_written(preset, table, refused, monkeypatch, tmp_path):
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("locked"))
    assert "the folder locked cannot be written" in refused(
        "predict", preset, "x", "--output", "locked/a.csv"
    )
    assert "is no folder that can be written" in refused(
        "train", "echo", "--recipe", "tiny", "--data", "own.csv", "--out", "locked/run"
    )


def test_predict_asks_as_it_was_told(call, refused, preset, monkeypatch):
    said = "--beam: the application echo takes no such option: leave it out"
    assert refused("predict", preset, "x", "--beam", "3") == said
    options = {"beam": 5, "length_penalty": 1.0, "seed": 0}
    monkeypatch.setattr(import_module("applications.echo.options"), "ANSWERING", options)
    assert call("predict", preset, "x", "--beam", "3", "--seed", "7")[0] == 0
    assert import_module("applications.echo.predict").asked == [{"beam": 3, "length_penalty": 1.0, "seed": 7}]
    assert "--n-best: the application echo" in refused("predict", preset, "x", "--n-best", "2")


def test_predict_checks_before_the_task_is_loaded(refused, preset, table, monkeypatch):
    def check(texts, count, *, drawn):
        raise UserError(f"{texts} {count} {drawn}")

    monkeypatch.setattr(import_module("applications.echo.predict"), "check", check)
    monkeypatch.delattr(sys.modules["zoo.tasks"], "from_preset")
    assert refused("predict", preset, "x", "y", "--plot", "a.png") == "['x', 'y'] 2 True"
    assert refused("predict", preset, "--input", table) == "() 3 False"


def typing(monkeypatch, raw):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


def test_predict_answers_line_by_line(call, preset, monkeypatch):
    typing(monkeypatch, "Hello!\r\n\nÜnd\nexit\nno more\n".encode())
    said = "loud\t0.7500\tHello!\nquiet\t0.7500\t\nquiet\t0.7500\tÜnd\n"
    assert call("predict", preset, "--interactive") == (0, said, "")
    typing(monkeypatch, b"Hello!")
    assert call("predict", preset, "--interactive", "--no-text") == (0, "loud\t0.7500\n", "")


def test_a_line_that_is_no_text_gets_an_empty_line(call, preset, monkeypatch):
    typing(monkeypatch, b"one!\nf\xfcr\na\0b\ntwo\n")
    status, out, err = call("predict", preset, "--interactive")
    assert (status, out) == (0, "loud\t0.7500\tone!\n\n\nquiet\t0.7500\ttwo\n")
    said = "zoo: error: line {}: a NUL byte, or not UTF-8: give text in UTF-8\n"
    assert err == said.format(2) + said.format(3)


@pytest.mark.parametrize("argv", [("x",), ("--input", "own.csv"), ("--output", "a.txt"), ("--json", "-")])
def test_a_conversation_has_no_files(refused, preset, table, argv):
    assert "leave out texts and files" in refused("predict", preset, "--interactive", *argv)


# --- predict, of an application that answers tables ------------------------------------------------------


@pytest.fixture
def tabular(preset, monkeypatch):
    """The same application as one that adds up the numbers of a table."""
    from applications.core.answers import Format

    part, options = (import_module(f"applications.echo.{name}") for name in ("predict", "options"))
    asked = []

    def read(path, told, **columns):
        asked.append((told, columns))
        numbers = path.read_text().split()
        if not all(map(str.isdecimal, numbers)):
            raise UserError(f"{path}:1: found no number")
        return [int(number) for number in numbers]

    def answer(task, series, **how):
        asked.append(how)
        return (sum(series),)

    def draw(task, block, count, path):
        path.write_text(f"{block} {count}")

    def written(mark):
        return Format(lambda rows, _: f"{rows[0][0]}{mark}\n")

    formats = {suffix: written(suffix) for suffix in (".csv", ".json")}
    for name, thing in (("read", read), ("answer", answer), ("draw", draw), ("FORMATS", formats)):
        monkeypatch.setattr(part, name, thing, raising=False)
    columns = dict.fromkeys(("time", "value", "series", "frequency"))
    monkeypatch.setattr(options, "ANSWERS", "tables")
    monkeypatch.setattr(options, "COLUMNS", columns)
    monkeypatch.setattr(options, "ANSWERING", {"horizon": None, "levels": (0.8, 0.95), "seed": 0})
    Path("in.csv").write_text("1 2")
    return asked


def test_predict_answers_a_table(call, preset, tabular, tmp_path):
    argv = ("predict", preset, "--input", "in.csv")
    assert call(*argv, "--quiet") == (0, "3.csv\n", "")
    assert call(*argv, "--json", "-", "--quiet") == (0, "3.json\n", "")
    status, out, err = call(*argv, "--output", "a.csv", "--json", "b", "--plot", "c.png")
    assert (status, out) == (0, "")
    assert re.fullmatch(r"zoo: 1 series in \d+\.\d s\n", err)
    written = [(tmp_path / name).read_text() for name in ("a.csv", "b", "c.png")]
    assert written == ["3.csv\n", "3.json\n", "[(3,)] 1"]


def test_predict_tells_how_a_table_is_read_and_answered(call, preset, tabular):
    argv = ("--time", "day", "--frequency", "D", "--horizon", "7", "--levels", "0.5,0.9", "--seed", "3")
    assert call("predict", preset, "--input", "in.csv", *argv)[0] == 0
    assert tabular == [
        ({}, {"time": "day", "value": None, "series": None, "frequency": "D"}),
        {"horizon": 7, "levels": (0.5, 0.9), "seed": 3},
    ]
    assert call("predict", preset, "--input", "in.csv", "--levels", "none")[0] == 0
    assert tabular[-1] == {"horizon": None, "levels": (), "seed": 0}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "predict: the application echo answers a table: give one by --input"),
        (("x",), "answers a table: give one by --input"),
        (("x", "--input", "in.csv"), "answers a table: give one by --input"),
        (("--input", "own.csv"), "own.csv:1: found no number"),
        (("--input", "in.csv", "--text-column", "a"), "--text-column: the application echo takes no such"),
        (("--input", "in.csv", "--id-column", "a"), "--id-column: the application echo takes no such option"),
        (("--input", "in.csv", "--no-text"), "--no-text: the application echo takes no such option"),
        (("--interactive",), "--interactive: the application echo takes no such option"),
        (("--input", "in.csv", "--beam", "2"), "--beam: the application echo takes no such option"),
        (("--input", "in.csv", "--value", ""), "--value: it is empty"),
        (("--input", "in.csv", "--output", "a.txt"), "a.txt: unknown suffix '.txt'"),
        (("--input", "in.csv", "--output", "in.csv"), "in.csv exists and is left as it is"),
        (
            ("--input", "in.csv", "--levels", "80"),
            "found '80'; give shares between 0 and 1, such as 0.8,0.95",
        ),
        (("--input", "in.csv", "--levels", "0.8,x"), "found '0.8,x'; give shares"),
        (("--input", "in.csv", "--levels", "0.8,0.8"), "found '0.8,0.8'; give shares"),
        (("--input", "in.csv", "--horizon", "0"), "'--horizon'"),
        (("--input", "in.csv", "--horizon", "-1"), "'--horizon'"),
    ],
)
def test_predict_of_tables_refuses(refused, preset, tabular, table, argv, said):
    assert said in refused("predict", preset, *argv)


def test_predict_of_texts_takes_no_table(refused, preset, table):
    said = refused("predict", preset, "--input", table, "--time", "date")
    assert said == "--time: the application echo takes no such option: leave it out"
    assert "--levels: the application echo" in refused("predict", preset, "x", "--levels", "0.8")


def test_a_table_that_cannot_be_answered_leaves_nothing(refused, preset, tabular, monkeypatch):
    def answer(task, series, **how):
        raise UserError("horizon: got 9")

    monkeypatch.setattr(import_module("applications.echo.predict"), "answer", answer)
    argv = ("--input", "in.csv", "--output", "a.csv", "--json", "b.json", "--plot", "c.png")
    assert refused("predict", preset, *argv) == "horizon: got 9"


def test_baselines_of_tables_need_no_split(call, preset, tabular, table, monkeypatch):
    given = []

    def write(task, dataset, folder, **options):
        given.append(options)
        folder.mkdir()
        return {"metrics": {"mse": 1.0}}

    def load(source, split, **columns):
        return type("Table", (list,), {"split": split})()

    report, data = (import_module(f"applications.echo.{name}") for name in ("report", "data"))
    monkeypatch.setattr(report, "write", write)
    monkeypatch.setattr(data, "load", load)
    argv = ("--data", table, "--baselines", "--out", "new", "--horizon", "3")
    assert call("evaluate", preset, *argv)[:2] == (0, "mse\t1.0000\ncount\t0\n")
    assert given == [{"baselines": True, "horizon": 3, "levels": (0.8, 0.95)}]


def test_a_preset_says_its_frequency(call, tabular, table, monkeypatch, tmp_path):
    loaded = []

    def load(source, split, **columns):
        loaded.append(columns["frequency"])
        raise UserError("enough")

    monkeypatch.setattr(import_module("applications.echo.data"), "load", load)
    zoo.presets.write(
        tmp_path / "hourly",
        config={"task": "Echo", "network": {}},
        preprocessor={"frequency": "h"},
        weights={},
        card="# Echo",
        metadata={"application": "echo"},
    )
    call("evaluate", "hourly", "--data", table)
    call("evaluate", "hourly", "--data", table, "--frequency", "D")
    assert loaded == ["h", "D"]


# --- explain ----------------------------------------------------------------------------------------------


def test_explain_prints_or_writes(call, preset, tmp_path):
    assert call("explain", preset, "Hello!") == (0, "loud\tNone\tNone\n", "")
    argv = ("--label", "quiet", "--steps", "8", "--output", "why.html")
    assert call("explain", preset, "Hello!", *argv) == (0, "", "")
    assert (tmp_path / "why.html").read_text() == "loud\tquiet\t8\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("x", "--output", "own.csv"), "own.csv: unknown suffix '.csv'"),
        (("x", "--output", "why.htm"), "unknown suffix '.htm': did you mean '.html'?"),
        (("x", "--output", "why.png"), "why.png exists and is left as it is"),
        (("x", "--output", "no/why.html"), "no/why.html: there is no folder no"),
        (("x", "--steps", "0"), "'--steps'"),
        (("",), "the text is empty"),
        ((), "Missing argument 'TEXT'."),
    ],
)
def test_explain_refuses(refused, preset, table, tmp_path, argv, said):
    (tmp_path / "why.png").touch()
    assert said in refused("explain", preset, *argv)


def test_an_application_that_explains_nothing(refused, preset, tmp_path):
    (tmp_path / "applications" / "echo" / "explain.py").unlink()
    assert refused("explain", preset, "x") == "explain: the application echo explains no answers"


# --- presets ----------------------------------------------------------------------------------------------


def test_a_shipped_name_is_suggested(refused, preset, monkeypatch):
    monkeypatch.setattr(zoo.presets.store, "list_presets", lambda: {"shout": preset})
    assert "unknown preset 'shuot': did you mean 'shout'?" in refused("predict", "shuot", "x")


def test_an_altered_preset(refused, preset):
    (preset / "README.md").write_text("# Ecco\n\nIt listens.")
    assert "README.md" in refused("info", preset)
    assert "README.md" in refused("predict", preset, "x")


@pytest.mark.parametrize(("metadata", "said"), [({}, "no application"), ({"application": "ehco"}, "'echo'")])
def test_a_preset_of_no_application_of_ours(refused, tmp_path, metadata, said):
    zoo.presets.write(
        tmp_path / "odd",
        config={"task": "Echo", "network": {}},
        preprocessor={},
        weights={},
        card="# Odd",
        metadata=metadata,
    )
    assert said in refused("predict", "odd", "x")


# --- evaluate ---------------------------------------------------------------------------------------------


def test_evaluate_prints_the_metrics(call, preset, table):
    assert call("evaluate", preset, "--data", table) == (0, "accuracy\t0.6667\ncount\t3\n", "")


def test_evaluate_json_is_one_flat_object(call, preset, table, tmp_path):
    wanted = {
        "accuracy": pytest.approx(2 / 3),
        "preset": str(preset),
        "data": "own.csv",
        "split": "test",
        "count": 3,
        "zoo_version": zoo.__version__,
        "backend": "none",
    }
    status, out, err = call("evaluate", preset, "--data", "own.csv", "--split", "test", "--json", "-")
    assert (status, json.loads(out), err) == (0, wanted, "")
    assert call("evaluate", preset, "--data", "own.csv", "--split", "test", "--json", "a.json")[0] == 0
    assert json.loads((tmp_path / "a.json").read_text()) == wanted


def test_evaluate_writes_a_report(call, preset, table, tmp_path):
    told = (0, "accuracy\t0.6667\ncount\t3\n", "")
    assert call("evaluate", preset, "--data", table, "--out", "deep/report") == told
    assert (tmp_path / "deep" / "report" / "report.md").exists()


def test_evaluate_measures_as_it_was_told(call, refused, preset, table, monkeypatch):
    assert "--beam: the application echo" in refused("evaluate", preset, "--data", table, "--beam", "1")
    report = import_module("applications.echo.report")
    monkeypatch.setattr(report, "evaluate", lambda task, dataset, beam: {"accuracy": float(beam)})
    monkeypatch.setattr(report, "about", lambda task, dataset: {"signature": "all"}, raising=False)
    monkeypatch.setattr(import_module("applications.echo.options"), "ANSWERING", {"beam": 5})
    status, out, _ = call("evaluate", preset, "--data", table, "--beam", "3", "--json", "-")
    assert status == 0
    assert {"accuracy": 3.0, "beam": 3, "signature": "all"}.items() <= json.loads(out).items()


def test_evaluate_without_baselines(refused, preset, table, tmp_path):
    (tmp_path / "applications" / "echo" / "baselines.py").unlink()
    said = refused("evaluate", preset, "--data", table, "--baselines", "--out", "new")
    assert said == "--baselines: the application echo has none"


def test_a_preset_says_how_its_data_are_read(call, preset, table, monkeypatch, tmp_path):
    options = import_module("applications.echo.options")
    monkeypatch.setattr(options, "COLUMNS", {"source_column": "source", "target_language": None})
    loaded = []

    def load(source, split, **columns):
        loaded.append(columns)
        raise UserError("enough")

    monkeypatch.setattr(import_module("applications.echo.data"), "load", load)
    zoo.presets.write(
        tmp_path / "english",
        config={"task": "Echo", "network": {}, "target_language": "en"},
        preprocessor={},
        weights={},
        card="# Echo",
        metadata={"application": "echo"},
    )
    call("evaluate", "english", "--data", table, "--source-column", "german")
    call("evaluate", "english", "--data", table, "--target-language", "de")
    assert loaded == [
        {"source_column": "german", "target_language": "en"},
        {"source_column": "source", "target_language": "de"},
    ]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--data", "own.csv", "--json", "own.csv"), "own.csv exists"),
        (("--data", "own.csv", "--out", "shout"), "shout exists"),
        (("--data", "own.csv", "--out", "own.csv/x"), "own.csv is no folder that can be written"),
        (("--data", "nope.csv"), "nope.csv: no such file"),
        (("--data", "own.csv", "--label-column", "labels"), "no column 'labels'"),
        (("--data", "own.csv", "--baselines"), "give --out too"),
        (
            ("--data", "own.csv", "--baselines", "--split", "test", "--out", "new"),
            "the split train of a corpus",
        ),
        ((), "Missing option '--data'."),
    ],
)
def test_evaluate_refuses(refused, preset, table, argv, said):
    assert said in refused("evaluate", preset, *argv)


# --- train and finetune -----------------------------------------------------------------------------------

TRAIN = ("train", "echo", "--recipe", "tiny", "--data", "own.csv", "--out", "runs/a")


def trainer():
    import applications.echo.train

    return applications.echo.train


def test_train_passes_on_what_was_asked(call, table, tmp_path):
    argv = (*TRAIN, "--set", "units=5", "--set", "cell=gru", "--seed", "7", "--no-report", "--quiet")
    status, out, err = call(*argv)
    assert (status, out, err) == (0, "runs/a/preset\n", "")
    ((recipe, count, options),) = trainer().calls
    assert (recipe.units, recipe.cell, count) == (5, "gru", 3)
    assert options == {
        "seed": 7,
        "validation": None,
        "text_column": "text",
        "label_column": "label",
        "report": False,
        "progress": False,
    }


def test_a_finished_run_says_so(call, table, tmp_path):
    call(*TRAIN)
    before = files(tmp_path)
    status, out, err = call(*TRAIN, "--quiet")
    assert (status, out) == (0, "runs/a/preset\n")
    assert err == "zoo: runs/a holds this run, finished: nothing is left to do\n"
    assert files(tmp_path) == before
    assert len(trainer().calls) == 1


def test_a_run_that_stopped_goes_on_with_the_same_arguments_alone(call, refused, table):
    trainer().fault = KeyboardInterrupt()
    status, out, err = call(*TRAIN)
    assert (status, out) == (130, "")
    assert (
        err == "zoo: the same command goes on from the last checkpoint, if there is one\nzoo: interrupted\n"
    )
    trainer().fault = None
    said = "runs/a holds a run with units 2, not 9: choose another --out"
    assert refused(*TRAIN, "--set", "units=9") == said
    assert "seed 0, not 1" in refused(*TRAIN, "--seed", "1")
    assert call(*TRAIN)[:2] == (0, "runs/a/preset\n")


def test_a_run_that_diverged(call, table, tmp_path):
    trainer().fault = UserError("epoch 3: the loss is nan")
    status, out, err = call(*TRAIN)
    assert (status, out, err) == (2, "", "zoo: error: epoch 3: the loss is nan\n")
    assert (tmp_path / "runs" / "a" / "checkpoints" / "state").exists()


def test_finetune(call, preset, table):
    argv = ("finetune", preset, "--data", table, "--out", "mine", "--epochs", "2", "--learning-rate", "0.01")
    assert call(*argv)[:2] == (0, "mine/preset\n")
    ((name, _, options),) = trainer().calls
    assert name == str(preset)
    assert (options["epochs"], options["learning_rate"], "batch_size" in options) == (2, 0.01, False)
    assert not {"calibrate", "class_weight", "threshold", "label_separator"} & set(options)
    assert call("predict", "mine", "x!")[1] == "loud\t0.7500\tx!\n"
    assert "holds a run with command 'finetune'" in call("train", *TRAIN[1:-1], "mine")[2]


def test_finetune_changes_any_number_of_it(call, preset, table):
    argv = ("finetune", preset, "--data", table, "--out", "mine")
    status, _, err = call(*argv, "--set", "discriminatve=2.6")
    assert (status, "did you mean 'discriminative'?" in err) == (2, True)
    assert call(*argv, "--set", "discriminative=2.6", "--epochs", "2")[0] == 0
    ((_, _, options),) = trainer().calls
    assert {"discriminative": 2.6, "epochs": 2}.items() <= options.items()
    assert "batch_size" not in options


def test_finetune_refuses_what_the_application_does_not_learn_by(refused, preset, table, monkeypatch):
    @dataclass(frozen=True)
    class Finetuning:
        epochs: int = 3

    monkeypatch.setattr(import_module("applications.echo.recipes"), "FINETUNING", Finetuning())
    argv = ("finetune", preset, "--data", table, "--out", "mine", "--epochs", "2")
    for option in (("--class-weight", "balanced"), ("--no-calibrate",), ("--threshold", "f1")):
        name = option[0].replace("no-", "")
        assert refused(*argv, *option) == f"{name}: the application echo takes no such option: leave it out"


def test_finetune_passes_on_what_validation_data_shall_choose(call, preset, table, monkeypatch):
    columns = {"text_column": "text", "label_column": "label", "label_separator": None}
    monkeypatch.setattr(import_module("applications.echo.options"), "COLUMNS", columns)
    chosen = ("--no-calibrate", "--threshold", "f1", "--class-weight", "a:2", "--label-separator", "+")
    assert call("finetune", preset, "--data", table, "--out", "mine", *chosen)[0] == 0
    ((_, _, options),) = trainer().calls
    assert {"calibrate": False, "threshold": "f1", "class_weight": "a:2", "label_separator": "+"}.items() <= (
        options.items()
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("ehco", *TRAIN[2:]), "unknown application 'ehco': did you mean 'echo'?"),
        ((*TRAIN[1:], "--recipe", "tinny"), "unknown recipe 'tinny': did you mean 'tiny'?"),
        ((*TRAIN[1:], "--set", "unit=3"), "unknown setting 'unit': did you mean 'units'?"),
        ((*TRAIN[1:], "--set", "units=many"), "setting 'units=many': give a whole number"),
        ((*TRAIN[1:], "--set", "cell=lsmt"), "unknown value 'lsmt': did you mean 'lstm'?"),
        ((*TRAIN[1:], "--data", "nope.csv"), "'nope.csv': no such file"),
        ((*TRAIN[1:], "--data", "wmt:x"), "unknown corpus 'wmt'"),
        ((*TRAIN[1:], "--validation", "nope.csv"), "'nope.csv': no such file"),
        ((*TRAIN[1:], "--data", "bad.csv"), "bad.csv:1: no column 'text'"),
        (
            (*TRAIN[1:], "--label-separator", ";"),
            "--label-separator: the application echo takes no such option",
        ),
        ((*TRAIN[1:], "--label-column", ""), "--label-column: it is empty; give some text, or leave it out"),
        ((*TRAIN[1:], "--out", "shout"), "shout holds files that are not of a run"),
        ((*TRAIN[1:], "--out", "own.csv"), "own.csv exists"),
        (
            (*TRAIN[1:], "--out", "other"),
            "other holds files that are not of a run (there is no logs/run.json)",
        ),
        ((*TRAIN[1:], "--seed", "-1"), "'--seed'"),
        ((*TRAIN[1:], "--seed", "x"), "'--seed'"),
        (TRAIN[1:4], "Missing option '--data'."),
    ],
)
def test_train_refuses(refused, preset, table, tmp_path, argv, said):
    (tmp_path / "bad.csv").write_text("a,label\nx,y\n")
    (tmp_path / "other" / "logs").mkdir(parents=True)
    (tmp_path / "other" / "logs" / "history.csv").touch()
    assert said in refused("train", *argv)


# --- publish ----------------------------------------------------------------------------------------------


def test_publish(call, refused, preset, monkeypatch):
    publish = ModuleType("applications.core.publish")
    publish.publish = lambda run, name, trials: run / f"{name}{trials or ''}"
    monkeypatch.setitem(sys.modules, "applications.core.publish", publish)
    assert call("publish", "shout", "--name", "loud") == (0, "shout/loud\n", "")
    assert call("publish", "shout", "--name", "loud", "--trials", "7") == (0, "shout/loud7\n", "")
    assert "unknown preset 'nope'" in refused("publish", "nope", "--name", "loud")


# --- the environment --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tensorfow", "numpy"])
def test_an_unknown_backend(refused, preset, monkeypatch, name):
    monkeypatch.setenv("KERAS_BACKEND", name)
    assert f"KERAS_BACKEND: unknown backend {name!r}" in refused("predict", preset, "x")


def test_a_backend_that_is_not_installed(refused, preset, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    assert "pip install 'lstm-zoo[jax]'" in refused("predict", preset, "x")


def test_warnings_are_one_line(call, monkeypatch, preset):
    answer = Echo.predict

    def warn(*args, **options):
        warnings.warn("much\nof it", stacklevel=1)
        return answer(*args, **options)

    monkeypatch.setattr(Echo, "predict", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert call("predict", preset, "x") == (0, "quiet\t0.7500\tx\n", "zoo: warning: much of it\n")


def test_a_fault_of_ours_is_no_mistake_of_the_user(preset, monkeypatch):
    monkeypatch.setattr(Echo, "predict", lambda *_, **__: [][0])
    with pytest.raises(IndexError):
        cli.main(["predict", str(preset), "x"])


def test_a_reader_that_has_gone():
    read, write = os.pipe()
    os.close(read)
    run = process("list", "cells", stdout=write, stderr=subprocess.PIPE, capture_output=False)
    os.close(write)
    assert (run.returncode, run.stderr) == (141, "")


def test_a_full_disk():
    with open("/dev/full", "w") as full:
        run = process("list", "cells", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert (run.returncode, run.stderr) == (2, "zoo: error: No space left on device\n")


def test_any_text_is_printed_in_any_locale():
    run = process("predict", "\N{WATERMELON}", "x", env={"PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"})
    assert run.returncode == 2
    assert "unknown preset '\N{WATERMELON}'" in run.stderr
