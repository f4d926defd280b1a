"""The `zoo` command: one grammar for every application. Arguments in, one call, results out."""

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
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
    TSV or JSONL file (plain, .gz or .xz), a folder with a sub-folder of texts for each label, CORPUS:PATH
    for a corpus that the application knows, or builtin.""",
)

PICTURES = (".png", ".svg", ".pdf")

Preset = Annotated[
    str, typer.Argument(metavar="PRESET", help="A shipped preset, a preset folder or a run folder.")
]
Source = Annotated[
    str, typer.Option("--data", metavar="SOURCE", help="The data; `zoo --help` says what it can be.")
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="The run folder: made, or gone on with after a kill.")
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Everything random follows from it.")]
TextColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="The column of the texts.  [default: text]")
]
LabelColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="The column of the labels.  [default: label]")
]
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
def train(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="`zoo list applications` lists them.")
    ],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="`zoo list applications` lists them.")],
    data: Source,
    out: Out,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a number of the recipe; may be repeated."),
    ] = None,
    seed: Seed = 0,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    validation: Validation = None,
    no_report: NoReport = False,
    quiet: Quiet = False,
) -> None:
    """Train a network by a recipe.

    Started again with the same arguments after a kill, it goes on. It prints the folder of the new preset.
    """
    options = catalogue.application(application)
    chosen = recipes.override(recipes.get(_part(application, "recipes").RECIPES, recipe), set_ or [])
    columns = _columns(options, text_column=text_column, label_column=label_column)
    given = {"seed": seed, "validation": validation, **columns}
    _check_sources(application, data, validation)
    said = {"command": "train", "application": application, "data": data, **given, **recipes.to_dict(chosen)}
    _fit(application, "train", chosen, data, out, said, {**given, "report": not no_report}, quiet)


@app.command()
def pretrain(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="`zoo list applications` lists them.")
    ],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="A recipe of PRETRAINING in its recipes.py.")],
    data: Source,
    out: Out,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a number of the recipe; may be repeated."),
    ] = None,
    seed: Seed = 0,
    text_column: TextColumn = None,
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
    given = {"seed": seed, **_columns(options, text_column=text_column)}
    _check_sources(application, data)
    said = {"command": "pretrain", "application": application, "data": data, **given, **recipes.to_dict(chosen)}
    _fit(application, "pretrain", chosen, data, out, said, given, quiet)


@app.command()
def finetune(
    preset: Preset,
    data: Source,
    out: Out,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often to go through the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Examples in one step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0, help="At its highest.")] = None,
    seed: Seed = 0,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    validation: Validation = None,
    no_report: NoReport = False,
    quiet: Quiet = False,
) -> None:
    """Train a preset further on your data.

    Started again with the same arguments after a kill, it goes on. It prints the folder of the new preset.
    """
    _, options = _find(preset)
    columns = _columns(options, text_column=text_column, label_column=label_column)
    numbers = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    given = {"seed": seed, "validation": validation, **columns, **_without_none(numbers)}
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
        bool, typer.Option("--baselines", help="Fit baselines to the data's split train, for the report.")
    ] = False,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
) -> None:
    """Measure a preset on data."""
    folder, options = _find(preset)
    columns = _columns(options, text_column=text_column, label_column=label_column)
    if json not in (None, "-"):
        outputs.check_new(Path(json))
    if out is not None:
        outputs.check_folder(out)
    elif baselines:
        raise UserError("--baselines: they stand in the report: give --out too")
    if baselines and (split != "test" or Path(data).exists()):
        raise UserError(
            "--baselines: they learn from the split train of a corpus: give one, and --split test"
        )
    backend.check()
    source = _part(options.NAME, "data")
    dataset = source.load(data, split, **columns)
    training = source.load_training(data, **columns) if baselines else (None, None)
    with backend.starting():
        task = import_module("zoo.tasks").from_preset(folder)
    report = _part(options.NAME, "report")
    metrics = report.evaluate(task, dataset)
    if out is not None:
        report.write(task, dataset, out, train=training[0], validation=training[1])
    about = {"preset": preset, "data": data, "split": dataset.split, "count": len(dataset)}
    result = outputs.to_json({**metrics, **about, **backend.versions()})
    if json == "-":
        _print(result)
        return
    if json is not None:
        outputs.write(Path(json), result)
    _print("".join(f"{name}\t{value:.4f}\n" for name, value in metrics.items()) + f"count\t{len(dataset)}\n")


@app.command()
def predict(
    preset: Preset,
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="What to ask about.")] = None,
    input_: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE", help="Texts: .txt, one a line, or CSV, TSV, JSONL."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the answers here: .txt, .csv, .tsv, .jsonl or .json."),
    ] = None,
    json: Json = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the probabilities: .png, .svg or .pdf.")
    ] = None,
    text_column: TextColumn = None,
) -> None:
    """Answer for each text, in order.

    Printed are label, probability and text, with tabs between, unless --output or --json is given.
    """
    from applications.core import answers  # late: NumPy comes with it

    folder, options = _find(preset)
    column = _columns(options, text_column=text_column)["text_column"]
    if bool(texts) == (input_ is not None):
        raise UserError("predict: give texts or --input, one of them")
    for path, suffixes in ((output, answers.FORMATS), (plot, PICTURES), (None if json == "-" else json, ())):
        if path is not None:
            outputs.check_new(Path(path), suffixes)
    backend.check()
    asked = texts or answers.read_texts(input_, column)
    with backend.starting():
        task = import_module("zoo.tasks").from_preset(folder)
    hidden = len(asked) < 500 or not sys.stderr.isatty()
    with typer.progressbar(length=len(asked), file=sys.stderr, hidden=hidden) as bar:
        found = task.predict(asked, progress=lambda done: bar.update(done - bar.pos))
    if plot is not None:
        with outputs.new_file(plot) as partial:
            import_module("applications.core.plots").predictions(asked, found, partial)
    if output is not None:
        outputs.write(output, answers.FORMATS[output.suffix.lower()](asked, found))
    if json == "-":
        _print(answers.to_json(asked, found))
    elif json is not None:
        outputs.write(Path(json), answers.to_json(asked, found))
    elif output is None:
        _print(answers.to_lines(asked, found))


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


def _find(preset: str) -> tuple[Path, ModuleType]:
    """Return the folder of a preset and the options of its application."""
    folder = zoo.presets.resolve(preset)
    name = zoo.presets.read(folder).metadata.get("application")
    if name is None:
        raise UserError(f"{folder / 'metadata.json'}: no application is named: load the preset from Python")
    return folder, catalogue.application(name)


def _part(application: str, name: str) -> ModuleType:
    """Return a module of an application."""
    return import_module(f"applications.{application}.{name}")


def _columns(options: ModuleType, **given: str | None) -> dict[str, str]:
    """Return the columns to read: those given, else those of the application."""
    for name in _without_none(given):
        if name not in options.COLUMNS:
            raise UserError(
                f"--{name.replace('_', '-')}: the application {options.NAME} reads no such column"
            )
    return {name: given.get(name) or default for name, default in options.COLUMNS.items() if name in given}


def _check_sources(application: str, *given: str | None) -> None:
    """Check what each SOURCE is, before anything slow is done."""
    parse = import_module("applications.core.sources").parse
    for source in given:
        if source is not None:
            parse(source, _part(application, "data").CORPORA)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


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
