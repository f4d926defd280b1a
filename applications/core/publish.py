"""From a run to a shipped preset: weights in float16, measured again, with a card that says all of it."""

import json
import re
import shlex
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from applications.core import recipes, runs
from applications.core.cards import model_card, portable
from zoo import presets
from zoo.errors import UserError
from zoo.presets import schema

NAME = re.compile(r"[a-z]+(_[a-z0-9]+)+")
MEGABYTES, ALL_MEGABYTES = 10, 60


class _Anything:
    """What JSON can hold."""

    def check(self, value: Any, where: str) -> Any:
        """Return the value, or raise PresetError."""
        schema.plain(value, where)
        return value


_SETTINGS = schema.MapOf(_Anything(), max=200)
TRAINING = {
    "application": schema.String(pattern="[a-z_]+"),
    "recipe": schema.String(),
    "recipe_values": _SETTINGS,
    "data": schema.String(min=1, max=4000),
    "seed": schema.Integer(0, 2**31),
    "splits": schema.MapOf(schema.Integer(0, 2**40), max=20),
    "validation": schema.MapOf(schema.Number(-1e300, 1e300), max=100),
    "best_epoch": schema.Optional(schema.Integer(0, 10**9)),
    "pretraining": schema.Optional(_SETTINGS),
    "trials": schema.Optional(schema.Integer(1, 10**6)),
    "seconds": schema.Number(0, 1e9),
    "machine": schema.String(min=1),
    "versions": schema.MapOf(schema.String(), max=50),
}
"""What `metadata.json` of a run's preset says of its training.

`recipe` is a name of the application's RECIPES, or anything else where numbers of one were changed, or
`"finetune"`. `pretraining` says the same of the language model that it started from. `splits` are the numbers of
examples. `trials` tells how many trainings were compared on the validation data until this one was chosen.
"""


def publish(run: Path, name: str, presets_folder: Path | None = None, *, trials: int | None = None) -> Path:
    """Write the preset of a finished run as a shipped preset, and return its folder.

    The weights are rounded to float16, and it is the rounded file that is loaded and measured, on the split
    `test` of the data that the run was trained on. Nothing but the new folder is written, at the end.

    Args:
        run: a run folder, whose preset says how it was trained (`TRAINING`).
        name: `<task>_<data>[_<qualifier>...]`, words of lower-case letters and digits.
        presets_folder: where the shipped presets lie; by default those of this checkout.
        trials: how many trainings were compared on the validation data until this one was chosen; for the card.

    Raises:
        UserError: a wrong name, a preset of that name, a folder that is no finished run, no test data, data whose
            licence forbids it, or too large a preset.
    """
    run = Path(run)
    folder = (presets_folder or Path(presets.__file__).parent) / name
    if not NAME.fullmatch(name):
        raise UserError(
            f"name {name!r}: make it <task>_<data>[_<qualifier>...], of lower-case letters and digits"
        )
    if folder.exists():
        raise UserError(f"{folder} exists and is left as it is: choose another name, or remove it")
    training, arguments = _training(run), _arguments(run)
    training["trials"] = trials or training["trials"]
    data, report, card, known, options = (
        import_module(f"applications.{training['application']}.{part}")
        for part in ("data", "report", "card", "recipes", "options")
    )
    config = presets.read(run / "preset").config
    columns = {
        name: arguments.get(name) or config.get(name, default) for name, default in options.COLUMNS.items()
    }
    same = (
        name
        for name, recipe in known.RECIPES.items()
        if not _differing(training["recipe_values"], recipes.to_dict(recipe))
    )
    training["recipe"] = next(same, training["recipe"])  # of the numbers, whatever made them
    source, training = training["data"], _portable(training)
    about = card.about({**training, **columns})
    test = data.load(source, "test", **columns)
    tasks = import_module("zoo.tasks")
    with tempfile.TemporaryDirectory() as temporary:
        rounded = Path(temporary) / name
        tasks.from_preset(run / "preset").save_to_preset(rounded, dtype="float16")
        _check_size(rounded, folder.parent)
        task = tasks.from_preset(rounded)
        parameters = presets.read(rounded).metadata["parameters"]
    metrics = report.evaluate(task, test)
    how = report.about(task, test) if hasattr(report, "about") else {}
    before = training["pretraining"]
    text = model_card(
        name,
        about,
        training,
        command=_command(training, arguments.get("validation"), known, _differing(columns, options.COLUMNS)),
        pretraining_command=before
        and _pretraining_command(training["application"], before, known.PRETRAINING),
        metrics=metrics,
        how=how,
        count=len(test),
        parameters=parameters,
    )
    said = {key: value for key, value in training.items() if value is not None}
    metadata = {**said, "description": about.summary, "metrics": metrics}
    if how:
        metadata["measured"] = how
    return task.save_to_preset(folder, metadata=metadata, card=text, dtype="float16")


def _training(run: Path) -> dict[str, Any]:
    """Return `TRAINING` of a run."""
    folder = run / "preset"
    if not folder.is_dir():
        raise UserError(f"{run}: has no preset/: give the folder of a finished run (--out of `zoo train`)")
    metadata = presets.read(folder).metadata
    said = {key: metadata[key] for key in TRAINING if key in metadata}
    return schema.check(said, TRAINING, str(folder / "metadata.json"))


def _portable(said: Any) -> Any:
    """Return what is said of a training without the folders of this machine; of paths joined by commas, of each."""
    if isinstance(said, Mapping):
        return {key: _portable(value) for key, value in said.items()}
    if isinstance(said, str):
        return ",".join(map(portable, said.split(",")))
    return said


def _arguments(run: Path) -> dict[str, Any]:
    """Return the arguments that the run's command began with; none if it was begun from Python."""
    path = run / runs.RECORD
    try:
        arguments = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error}): train again with another --out") from error
    return schema.check({"arguments": arguments}, {"arguments": _SETTINGS}, str(path))["arguments"]


def _command(
    training: Mapping[str, Any], validation: str | None, known: ModuleType, columns: Mapping[str, str]
) -> str:
    """Return the command of the training; changed numbers as `--set` of the nearest recipe in `known`."""
    values = dict(training["recipe_values"])
    if training["recipe"] == "finetune":
        words = ["zoo", "finetune", portable(str(values.pop("preset")))]
        options = _changed(values, recipes.to_dict(known.FINETUNING))
    else:
        words, options = _recipe("train", training["application"], training, known.RECIPES)
    options += [("--data", portable(training["data"])), ("--seed", training["seed"])]
    if validation:
        options.append(("--validation", _portable(validation)))
    options += [(f"--{name.replace('_', '-')}", value) for name, value in columns.items()]
    return shlex.join([*words, *(str(word) for option in options for word in option), "--out", "DIR"])


def _differing(values: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in plain or plain[name] != value}


def _pretraining_command(application: str, before: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """Return the command of a pre-training."""
    words, options = _recipe("pretrain", application, before, known)
    options += [("--data", portable(before["data"])), ("--seed", before["seed"])]
    return shlex.join([*words, *(str(word) for option in options for word in option), "--out", "DIR"])


def _recipe(
    verb: str, application: str, training: Mapping[str, Any], known: Mapping[str, Any]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the words that name the nearest recipe in `known`, and what it takes as `--set` besides."""
    values = training["recipe_values"]
    changed = {name: _changed(values, recipes.to_dict(recipe)) for name, recipe in known.items()}
    nearest = min(changed, key=lambda name: (name != training["recipe"], len(changed[name])))
    return ["zoo", verb, application, "--recipe", nearest], changed[nearest]


def _changed(values: Mapping[str, Any], plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the options that make `values` of a plain recipe."""
    return [("--set", f"{key}={_setting(value)}") for key, value in _differing(values, plain).items()]


def _setting(value: Any) -> str:
    """Return a value as `--set NAME=VALUE` reads it."""
    if isinstance(value, list):
        return ",".join(map(_setting, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _check_size(preset: Path, folder: Path) -> None:
    """Refuse a preset that is too large for the repository, by itself or with those that are there."""
    size = _megabytes(preset)
    if size > MEGABYTES:
        raise UserError(f"{preset.name} has {size:.1f} MB, {MEGABYTES} are allowed: train a smaller network")
    total = size + sum(_megabytes(path.parent) for path in folder.glob("*/metadata.json"))
    if total > ALL_MEGABYTES:
        raise UserError(
            f"{folder}: the presets would have {total:.0f} MB, {ALL_MEGABYTES} are allowed: remove one"
        )


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
