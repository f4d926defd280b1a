"""The `zoo` command: one grammar for every application. Arguments in, one call, results out."""

import os
import sys
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, signature
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

import zoo
from applications.core import backend, catalogue, outputs, recipes, runs
from zoo.errors import UserError, unknown

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,  # plain help: Rich would take a quarter of a second to import
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Recurrent networks: train them, fine-tune them, measure them, ask them.

    PRESET is the name of a shipped preset, a preset folder or a run folder. SOURCE is tfds:NAME, a CSV,
    TSV or JSONL file (plain, .gz or .xz), a folder with a sub-folder of texts for each label, two files
    FILE,FILE of sentences and their translations, CORPUS:PATH for a corpus that the application knows, or
    builtin, of which an application may have several: builtin:NAME.""",
)

Preset = Annotated[
    str, typer.Argument(metavar="PRESET", help="A shipped preset, a preset folder or a run folder.")
]
Source = Annotated[
    str, typer.Option("--data", metavar="SOURCE", help="The data; `zoo --help` says what it can be.")
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="The run folder: made, or gone on with after a kill.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a number of the recipe; may be repeated."),
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Everything random follows from it.")]
Validation = Annotated[
    str | None,
    typer.Option(metavar="SOURCE", help="What the model is chosen by; by default a part of the data."),
]
NoReport = Annotated[
    bool, typer.Option("--no-report", help="Leave out report/, with its baselines and pictures.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON here; - prints it, and it alone.")
]


def _levels(given: str) -> tuple[float, ...]:
    """Read shares between 0 and 1 with commas between, or `none`."""
    if given.lower() == "none":
        return ()
    try:
        levels = tuple(float(share) for share in given.split(","))
    except ValueError:
        levels = (0.0,)
    if not all(0 < level < 1 for level in levels) or len(set(levels)) < len(levels):
        raise typer.BadParameter(f"found {given!r}; give shares between 0 and 1, such as 0.8,0.95, or none")
    return levels


def _words(metavar: str, help_: str) -> Any:
    return Annotated[str | None, typer.Option(metavar=metavar, help=help_)]


# Options that not every application takes; which ones, COLUMNS and ANSWERING in its options say, with the defaults.
COLUMNS = {
    "text_column": _words("NAME", "The column of the texts.  [default: text]"),
    "label_column": _words("NAME", "The column of the labels.  [default: label]"),
    "label_separator": _words("TEXT", "What stands between the labels of a text, if it may have any number."),
    "source_column": _words("NAME", "The column to translate from.  [default: source]"),
    "target_column": _words("NAME", "The column of the translations.  [default: target]"),
    "source_language": _words("LANGUAGE", "What is translated from, such as de."),
    "target_language": _words("LANGUAGE", "What is translated into, such as en."),
    "time": _words("NAME", "The column of the times of series.  [default: found by its name]"),
    "value": _words("NAME", "The column of the values.  [default: found; or a column for each series]"),
    "series": _words("NAME", "The column of the series' names.  [default: found by its name]"),
    "frequency": _words("STEP", "From time to time, such as h, 15min, D, MS.  [default: found by the times]"),
}
OF_SERIES = {name: COLUMNS[name] for name in ("time", "value", "series", "frequency")}
ANSWERING = {
    "beam": Annotated[
        int | None,
        typer.Option(
            min=1, help="Hypotheses of a translation that are followed at once; 1: greedy.  [default: 5]"
        ),
    ],
    "length_penalty": Annotated[
        float | None,
        typer.Option(min=0.0, help="The higher, the less short translations are preferred.  [default: 1]"),
    ],
    "coverage_penalty": Annotated[
        float | None,
        typer.Option(min=0.0, help="The higher, the more of a text must be attended to.  [default: 0]"),
    ],
    "horizon": Annotated[
        int | None,
        typer.Option(min=1, help="Steps of a series to forecast.  [default: as many as were trained]"),
    ],
    "levels": Annotated[
        Any,
        typer.Option(
            metavar="SHARES",
            parser=_levels,
            help="The shares of values that intervals of a forecast are to hold, or none.  [default: 0.8,0.95]",
        ),
    ],
}
DRAWING = {
    "n_best": Annotated[
        int | None, typer.Option(min=1, help="Give so many translations: number, score, translation.")
    ],
    "temperature": Annotated[
        float | None,
        typer.Option(min=0.0, help="Draw translations at random; below 1, probable ones more often."),
    ],
    "seed": Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="What is drawn follows from it.  [default: 0]")
    ],
}
Given = dict[str, Any]


def _gathering(**groups: Mapping[str, Any]) -> Callable[[Callable], Callable]:
    """Give a command the options of groups, name -> annotation; it gets what was given of each as a dictionary."""

    def decorate(command: Callable) -> Callable:
        @wraps(command)
        def gathered(**given: Any) -> Any:
            parts = {group: {name: given.pop(name) for name in options} for group, options in groups.items()}
            return command(**given, **parts)

        plain = signature(command)
        gathered.__signature__ = plain.replace(
            parameters=[
                own.replace(kind=Parameter.KEYWORD_ONLY)
                for name, parameter in plain.parameters.items()
                for own in (
                    [Parameter(each, Parameter.KEYWORD_ONLY, default=None, annotation=kind)
                     for each, kind in groups[name].items()]
                    if name in groups
                    else [parameter]
                )
            ]
        )  # fmt: skip
        return gathered

    return decorate


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 a mistake that the user can mend, 130 interrupted.

    Args:
        argv: the arguments after the command's name; by default those of the process.
    """
    sys.exit(_run(sys.argv[1:] if argv is None else list(argv)))


def _run(argv: list[str]) -> int:
    """Run the command line; return the exit status."""
    for stream in (sys.stdout, sys.stderr):  # any text can be printed, whatever the locale
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _note(f"warning: {message}")
        try:
            status = app(argv or ["--help"], prog_name="zoo", standalone_mode=False) or 0
        except (UserError, typer.TyperException) as error:
            message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
            _note(f"error: {message}")
            return 2
        except OSError as error:
            _note(f"error: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
            return 2
    if status == 130:
        _note("interrupted")
    return status


def _version(asked: bool) -> None:
    if asked:
        _print(f"zoo {zoo.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command("list")
def list_names(
    what: Annotated[str, typer.Argument(metavar="presets|cells|applications", help="What to list.")],
) -> None:
    """List presets, cells, or applications and their recipes."""
    kinds = {"presets": _presets, "cells": catalogue.cells, "applications": _applications}
    if what not in kinds:
        raise unknown("list", what, kinds)
    names = kinds[what]()
    width = max(map(len, names), default=0)
    _print("".join(f"{name:<{width}}  {words}".rstrip() + "\n" for name, words in names.items()))
    if not names:
        _note(f"there are no {what}")


def _presets() -> dict[str, str]:
    return {
        name: outputs.to_line(str(zoo.presets.read(folder).metadata.get("description", "")))
        for name, folder in zoo.list_presets().items()
    }


def _applications() -> dict[str, str]:
    return {
        name: f"{options.SUMMARY} Recipes: {', '.join(_part(name, 'recipes').RECIPES)}."
        for name, options in catalogue.applications().items()
    }


@app.command()
def info(preset: Preset) -> None:
    """Show the network, the size and the card of a preset."""
    saved = zoo.presets.read(zoo.presets.resolve(preset))
    size = sum(file["size"] for file in saved.metadata["files"].values()) / 1e6
    facts = {
        "folder": saved.folder,
        "application": saved.metadata.get("application", ""),
        "task": saved.config["task"],
        "parameters": f"{saved.metadata['parameters']:,} in {saved.metadata['dtype']}, {size:.1f} MB",
        **saved.config["network"],
    }
    _print("".join(f"{name}: {value}\n" for name, value in facts.items()))
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print("", Markdown(saved.card))
    else:
        _print(f"\n{saved.card.rstrip()}\n")


@app.command()
@_gathering(columns=COLUMNS)
def train(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="`zoo list applications` lists them.")
    ],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="`zoo list applications` lists them.")],
    data: Source,
    out: Out,
    set_: Set = None,
    seed: Seed = 0,
    *,
    columns: Given,
    validation: Validation = None,
    no_report: NoReport = False,
    quiet: Quiet = False,
) -> None:
    """Train a network by a recipe.

    Started again with the same arguments after a kill, it goes on. It prints the folder of the new preset.
    """
    options = catalogue.application(application)
    chosen = recipes.override(recipes.get(_part(application, "recipes").RECIPES, recipe), set_ or [])
    columns = _columns(options, {}, **columns)
    given = {"seed": seed, "validation": validation, **columns}
    _check_sources(application, data, validation)
    said = {"command": "train", "application": application, "data": data, **given, **recipes.to_dict(chosen)}
    _fit(application, "train", chosen, data, out, said, {**given, "report": not no_report}, quiet)


@app.command()
@_gathering(columns={"text_column": COLUMNS["text_column"]})
def pretrain(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="`zoo list applications` lists them.")
    ],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="A recipe of PRETRAINING in its recipes.py.")],
    data: Source,
    out: Out,
    set_: Set = None,
    seed: Seed = 0,
    *,
    columns: Given,
    quiet: Quiet = False,
) -> None:
    """Train a language model on texts without labels, for `zoo train ... --set pretrained=DIR` to start from.

    Started again with the same arguments after a kill, it goes on. It prints the folder of the new preset.
    """
    options = catalogue.application(application)
    known = getattr(_part(application, "recipes"), "PRETRAINING", {})
    if not known:
        raise UserError(f"pretrain: the application {application} has nothing to pre-train")
    chosen = recipes.override(recipes.get(known, recipe), set_ or [])
    given = {"seed": seed, **_columns(options, {}, **columns)}
    _check_sources(application, data)
    said = {
        "command": "pretrain",
        "application": application,
        "data": data,
        **given,
        **recipes.to_dict(chosen),
    }
    _fit(application, "pretrain", chosen, data, out, said, given, quiet)


@app.command()
@_gathering(columns=COLUMNS)
def finetune(
    preset: Preset,
    data: Source,
    out: Out,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often to go through the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Examples in one step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0, help="At its highest.")] = None,
    class_weight: Annotated[
        str | None,
        typer.Option(metavar="WEIGHTS", help="balanced, or weights of labels: negative:1,positive:2."),
    ] = None,
    calibrate: Annotated[
        bool | None,
        typer.Option(help="Choose the probabilities' temperature by the validation data.  [default: yes]"),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            metavar="accuracy|f1",
            help="Choose by it, on the validation data, from which probability on a label is answered.",
        ),
    ] = None,
    set_: Set = None,
    seed: Seed = 0,
    *,
    columns: Given,
    validation: Validation = None,
    no_report: NoReport = False,
    quiet: Quiet = False,
) -> None:
    """Train a preset further on your data.

    Started again with the same arguments after a kill, it goes on. It prints the folder of the new preset.
    """
    saved, options = _find(preset)
    columns = _columns(options, _told(saved), **columns)
    numbers = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "class_weight": class_weight,
        "calibrate": calibrate,
        "threshold": threshold,
    }
    plain = _part(options.NAME, "recipes").FINETUNING
    numbers = _known(options, [field.name for field in fields(plain)], numbers)
    set_ = [f"{name}={value}" for name, value in numbers.items()] + (set_ or [])
    chosen = recipes.to_dict(recipes.override(plain, set_))
    changed = {name: chosen[name] for name in (text.partition("=")[0] for text in set_)}
    given = {"seed": seed, "validation": validation, **columns, **changed}
    _check_sources(options.NAME, data, validation)
    said = {"command": "finetune", "preset": preset, "data": data, **given}
    _fit(options.NAME, "finetune", preset, data, out, said, {**given, "report": not no_report}, quiet)


def _fit(
    application: str,
    verb: str,
    what: Any,
    data: str,
    out: Path,
    said: dict[str, Any],
    given: dict[str, Any],
    quiet: bool,
) -> None:
    """Call `train`, `pretrain` or `finetune`, unless the run is finished; print the preset's folder."""
    backend.check()
    if runs.is_finished(out, said):
        _note(f"{out} holds this run, finished: nothing is left to do")
    else:
        try:
            with runs.begin(out, said):
                with backend.starting("tensorflow"):  # tf.data feeds every backend
                    call = getattr(_part(application, "pretrain" if verb == "pretrain" else "train"), verb)
                call(what, data, out, **given, progress=not quiet)
        except KeyboardInterrupt:
            _note("the same command goes on from the last checkpoint, if there is one")
            raise
    _print(f"{out / 'preset'}\n")


@app.command()
@_gathering(answering=ANSWERING, columns=COLUMNS)
def evaluate(
    preset: Preset,
    data: Source,
    split: Annotated[
        str | None, typer.Option(help="A split of the data, such as test; by default all of a file.")
    ] = None,
    json: Json = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write a report with pictures here.")
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Fit baselines for the report: to the data's split train, or to each series up to its forecast.",
        ),
    ] = False,
    *,
    answering: Given,
    columns: Given,
) -> None:
    """Measure a preset on data."""
    saved, options = _find(preset)
    columns = _columns(options, _told(saved), **columns)
    answering = _answering(options, **answering)
    if json not in (None, "-"):
        outputs.check_new(Path(json))
    if baselines and find_spec(f"applications.{options.NAME}.baselines") is None:
        raise UserError(f"--baselines: the application {options.NAME} has none")
    if out is not None:
        outputs.check_folder(out)
    elif baselines:
        raise UserError("--baselines: they stand in the report: give --out too")
    of_texts = options.ANSWERS == "texts"
    if baselines and of_texts and (split != "test" or Path(data).exists()):
        raise UserError(
            "--baselines: they learn from the split train of a corpus: give one, and --split test"
        )
    backend.check()
    source = _part(options.NAME, "data")
    dataset = source.load(data, split, **columns)
    fitted = {"baselines": True} if baselines else {}
    if baselines and of_texts:
        fitted["train"], fitted["validation"] = source.load_training(data, **columns)
    task = _load(saved)
    report = _part(options.NAME, "report")
    if out is None:
        metrics = report.evaluate(task, dataset, **answering)
    else:  # answered once, for both
        metrics = report.write(task, dataset, out, **fitted, **answering)["metrics"]
    about = {"preset": preset, "data": data, "split": dataset.split, "count": len(dataset), **answering}
    if hasattr(report, "about"):
        about |= report.about(task, dataset)
    result = outputs.to_json({**metrics, **about, **backend.versions()})
    if json == "-":
        _print(result)
        return
    if json is not None:
        outputs.write(Path(json), result)
    _print("".join(f"{name}\t{value:.4f}\n" for name, value in metrics.items()) + f"count\t{len(dataset)}\n")


@app.command()
@_gathering(answering=ANSWERING | DRAWING, columns=OF_SERIES)
def predict(
    preset: Preset,
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="What to ask about.")] = None,
    input_: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help="Texts: .txt, one a line, or CSV, TSV, JSONL. Or a table of series.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the answers here: .txt, .csv, .tsv, .jsonl or .json."),
    ] = None,
    json: Json = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw probabilities, the attention of one text (also as .json), or forecasts: .png, .svg or .pdf.",
        ),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option("--text-column", "--source-column", metavar="NAME", help="The column of the texts."),
    ] = None,
    id_column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Copy this column of the input; may be repeated."),
    ] = None,
    no_text: Annotated[bool, typer.Option("--no-text", help="Leave the texts out of the answers.")] = False,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive", help="Answer each line that is typed, or piped in, until its end or `exit`."
        ),
    ] = False,
    *,
    answering: Given,
    columns: Given,
    quiet: Quiet = False,
) -> None:
    """Answer for each text, in order; or forecast each series of a table.

    Printed is a line for each text (label, probability and text with tabs between, or the translation), or a table of
    forecasts as CSV, unless --output or --json is given. A file of texts may be larger than memory: it is checked
    whole, then read, answered and written a block at a time.
    """
    from applications.core import stream  # late: NumPy comes with it

    saved, options = _find(preset)
    part = _part(options.NAME, "predict")
    answering = _answering(options, **answering)
    of_texts = {
        "text_column": text_column,
        "id_column": id_column,
        "no_text": no_text or None,
        "interactive": interactive or None,
    }
    if options.ANSWERS == "tables":
        _known(options, (), of_texts)
        columns = _columns(options, {}, **columns)
        if texts or input_ is None:
            raise UserError(f"predict: the application {options.NAME} answers a table: give one by --input")
        writers = _writers(part, output, json, plot)
        series = part.read(input_, saved.preprocessor, **columns)
        task = _load(saved)
        began = time.perf_counter()
        with ExitStack() as stack:
            picture = plot and stack.enter_context(outputs.new_file(plot))
            sinks = [stack.enter_context(writer) for writer in writers]
            answer = part.answer(task, series, **answering)
            if picture:
                part.draw(task, [answer], len(answer), picture)
            for sink in sinks:
                sink([answer])
        if not quiet:
            _note(f"{len(answer):,} series in {time.perf_counter() - began:.1f} s")
        return
    first = next(iter(options.COLUMNS))
    column = _columns(options, {}, **{first: text_column}, **columns)[first]
    if interactive:
        if texts or input_ or output or json or plot or text_column or id_column:
            raise UserError(
                "--interactive: lines are typed and their answers printed: leave out texts and files"
            )
        asked = part.answering(_load(saved), **answering)
        lines, form = stream.typed("> "), part.FORMATS[".txt"]
        stream.converse(asked, lines, form, _print, _note, with_text=not no_text)
        return
    if bool(texts) == (input_ is not None):
        raise UserError("predict: give texts or --input, one of them")
    if id_column and input_ is None:
        raise UserError("--id-column: is a column of a file: give --input")
    if plot is not None and no_text:
        raise UserError("--no-text: --plot draws the texts: leave out one of them")
    writers = _writers(part, output, json, plot)

    def rows():
        return ((text, {}) for text in texts) if texts else stream.read_rows(input_, column, id_column or ())

    total = sum(1 for _ in rows())  # every fault of the file is told before anything slow is done
    part.check(texts or (), total, drawn=plot is not None)
    task = _load(saved)
    printed = json == "-" or (output is None and json is None)
    hidden = quiet or total < 500 or not sys.stderr.isatty() or (printed and sys.stdout.isatty())
    began = time.perf_counter()
    with ExitStack() as stack:
        picture = plot and stack.enter_context(outputs.new_file(plot))
        sinks = [stack.enter_context(writer) for writer in writers]
        progress = stack.enter_context(_progress(total, hidden))
        asked = part.answering(task, **answering)
        for block in stream.predict(asked, rows(), with_text=not no_text, progress=progress):
            if picture and not picture.exists():  # it shows the first texts
                part.draw(task, block, total, picture)
            for sink in sinks:
                sink(block)
    if input_ is not None and not quiet:
        seconds = time.perf_counter() - began
        _note(f"{total:,} texts in {seconds:.1f} s: {total / seconds:,.0f} texts/s")


def _writers(part: ModuleType, output: Path | None, json: str | None, plot: Path | None) -> list[Any]:
    """Check what is to be written, and return what writes answers: into files, or else on standard output."""
    from applications.core import stream

    listed = None if json in (None, "-") else Path(json)
    if listed is not None and listed == output:
        raise UserError(f"{output}: is given to --output and to --json: choose two names")
    for path, suffixes in ((output, part.FORMATS), (plot, part.PICTURES), (listed, ())):
        if path is not None:
            outputs.check_new(path, suffixes)
    backend.check()
    writers = []
    if output is not None:
        writers.append(stream.writing_file(output, part.FORMATS[output.suffix.lower()]))
    if listed is not None:
        writers.append(stream.writing_file(listed, part.FORMATS[".json"]))
    if json == "-" or not writers:
        plain = next(iter(part.FORMATS))  # lines of text, or CSV of tables
        writers.append(stream.writing(_print, part.FORMATS[plain if json is None else ".json"]))
    return writers


@contextmanager
def _progress(total: int, hidden: bool) -> Iterator[Callable[[int], None]]:
    """Show a line on standard error with what is done, how fast, and how long it will take."""
    began = time.perf_counter()

    with typer.progressbar(length=total, file=sys.stderr, hidden=hidden, show_pos=True) as bar:

        def show(done: int) -> None:
            bar.label = f"{done / (time.perf_counter() - began):,.0f} texts/s"
            bar.update(done - bar.pos)

        yield show


@app.command()
def explain(
    preset: Preset,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to ask about.")],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it here: .html, .json, .png, .svg or .pdf."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="The label to explain.  [default: the one answered]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Points of the path of integrated gradients to begin with.")
    ] = None,
) -> None:
    """Say why a preset answers as it does: what each word adds, and what is lost without it.

    Printed is a line for each word with its numbers, tabs between, unless --output is given.
    """
    saved, options = _find(preset)
    if find_spec(f"applications.{options.NAME}.explain") is None:
        raise UserError(f"explain: the application {options.NAME} explains no answers")
    part = _part(options.NAME, "explain")
    if output is not None:
        outputs.check_new(output, part.SUFFIXES)
    with backend.starting():
        task = import_module("zoo.tasks").from_preset(saved.folder)
        found = part.explain(task, text, label=label, steps=steps)
    if output is not None:
        part.write(found, output)
    else:
        _print(part.to_lines(found))


@app.command()
def compare(
    runs_: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Folders of finished runs, or presets.")
    ],
    json: Json = None,
) -> None:
    """Show what differs between the recipes of runs, and what the validation data say of each.

    Runs that differ in their seed alone share a line, with means and standard deviations.
    """
    comparison = import_module("applications.core.comparison")
    if json not in (None, "-"):
        outputs.check_new(Path(json))
    rows = comparison.compare(runs_)
    if json == "-":
        _print(outputs.to_json(rows))
        return
    if json is not None:
        outputs.write(Path(json), outputs.to_json(rows))
    _print(comparison.to_lines(rows))


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What the preset is to be called.")],
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trainings compared on the validation data, for the card.")
    ] = None,
) -> None:
    """Turn a finished run into a shipped preset.

    Its weights are rounded to float16 and measured again, and its card is written.
    """
    zoo.presets.resolve(run)
    with backend.starting():
        call = import_module("applications.core.publish").publish
        folder = call(run, name, trials=trials)
    _print(f"{folder}\n")


def _find(preset: str) -> tuple["zoo.presets.Preset", ModuleType]:
    """Return what is in a preset, and the options of its application."""
    saved = zoo.presets.read(zoo.presets.resolve(preset))
    name = saved.metadata.get("application")
    if name is None:
        raise UserError(
            f"{saved.folder / 'metadata.json'}: no application is named: load the preset from Python"
        )
    options = catalogue.application(name)
    if saved.config["task"] != options.TASK:
        raise UserError(
            f"{preset}: it holds a {saved.config['task']}, which gives no answers: start a training from it "
            f"by `zoo train {name} --set pretrained={preset}`"
        )
    return saved, options


def _load(saved: "zoo.presets.Preset") -> Any:
    """Return the task of a preset; the backend has been started."""
    with backend.starting():
        return import_module("zoo.tasks").from_preset(saved.folder)


def _part(application: str, name: str) -> ModuleType:
    """Return a module of an application."""
    return import_module(f"applications.{application}.{name}")


def _told(saved: "zoo.presets.Preset") -> dict[str, Any]:
    """Return what a preset says, of how data are read among other things."""
    return {**saved.preprocessor, **saved.config}


def _columns(options: ModuleType, config: Mapping[str, Any], **given: str | None) -> dict[str, str]:
    """Return how to read data: what is given, else what a preset's `config` or the application says."""
    for name, value in _known(options, options.COLUMNS, given).items():
        if not value:
            raise UserError(f"{_option(name)}: it is empty; give some text, or leave it out")
    return {
        name: given[name] or config.get(name, default)
        for name, default in options.COLUMNS.items()
        if name in given
    }


def _answering(options: ModuleType, **given: Any) -> dict[str, Any]:
    """Return how answers are found: what is given, else what the application says."""
    known = _known(options, options.ANSWERING, given)
    return {name: known.get(name, default) for name, default in options.ANSWERING.items() if name in given}


def _known(options: ModuleType, names: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given, if the application knows all of it."""
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in names:
            raise UserError(
                f"{_option(name)}: the application {options.NAME} takes no such option: leave it out"
            )
    return given


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_sources(application: str, *given: str | None) -> None:
    """Check what each SOURCE is, before anything slow is done."""
    parse = import_module("applications.core.sources").parse
    for source in given:
        if source is not None:
            known = _part(application, "data")
            parse(source, known.CORPORA, getattr(known, "SAMPLES", ()))


def _print(text: str) -> None:
    """Print on standard output; where its reader has gone, end quietly with the status of a broken pipe."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again when it ends
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(141) from None
        raise


def _note(text: str) -> None:
    """Print one line on standard error."""
    print("zoo:", outputs.to_line(text), file=sys.stderr, flush=True)
