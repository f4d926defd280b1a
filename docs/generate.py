"""Write what follows from the source: pages on cells, presets, applications, names, and the README's tables.

`python docs/generate.py` writes the README's tables anew; Sphinx calls `pages` by itself.
"""

import csv
import inspect
import json
import pkgutil
import re
import statistics
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import zoo

# Columns of the tables of measured numbers of each application: the key in a preset's metrics, the heading, the format.
# Of several tables a preset stands in the first one whose first column it has.
NUMBERS = {
    "sentiment": [
        {
            "accuracy": ("accuracy", "{:.4f}"),
            "macro_f1": ("macro-F1", "{:.4f}"),
            "roc_auc": ("ROC-AUC", "{:.4f}"),
        }
    ],
    "translation": [
        {
            "bleu": ("BLEU", "{:.2f}"),
            "bleu_unseen": ("BLEU without pairs seen in training", "{:.2f}"),
            "chrf": ("chrF", "{:.2f}"),
        }
    ],
    "forecasting": [
        {
            "owa": ("OWA", "{:.3f}"),
            "smape": ("sMAPE", "{:.2f}"),
            "mase": ("MASE", "{:.3f}"),
            "coverage_80": ("in 80% intervals", "{:.1%}"),
            "coverage_95": ("in 95% intervals", "{:.1%}"),
        },
        {
            "mse": ("MSE, mean of four horizons", "{:.3f}"),
            "mae": ("MAE", "{:.3f}"),
            "coverage_80": ("in 80% intervals", "{:.1%}"),
            "coverage_95": ("in 95% intervals", "{:.1%}"),
        },
    ],
}

# Data sets of forecasting: what the files of their measurements are called after, by their name.
ETT = {"ETTh1": "etth1", "ETTm1": "ettm1"}
M4 = {"M4 Hourly": "m4_hourly", "M4 Weekly": "m4_weekly"}
# Columns of their tables: the key of a measurement, the heading, the format.
ERRORS = {
    **{f"mse_{steps}": (f"{steps} steps", ".3f") for steps in (96, 192, 336, 720)},
    "mse": ("mean MSE", ".3f"),
    "mae": ("mean MAE", ".3f"),
}
COMPETITION = {"smape": ("sMAPE", ".2f"), "mase": ("MASE", ".3f"), "owa": ("OWA", ".3f")}
COVERAGE = {"coverage_80": ("in 80% intervals", ".1%"), "coverage_95": ("in 95% intervals", ".1%")}

# Columns of the table of times, of the first shape: the key of a measurement, the format.
MORE = {"first_step_s": ".2f", "peak_mb": ".0f"}
NOT_YET = "Not measured yet."
NOT_OURS = ("set_fit_request", "set_score_request")  # that scikit-learn writes into its estimators


# --- cells -----------------------------------------------------------------------------------------------


def cell_rows() -> Iterator[dict[str, str]]:
    """Yield what the docs tell of a cell, for every cell of the catalogue, in its order."""
    from zoo.cells import CATALOGUE, GatedCell, LinearCell
    from zoo.layers import LAYERS

    for name, cls in CATALOGUE.items():
        summary, _, rest = inspect.cleandoc(cls.__doc__).partition("\n\n")
        kind = "linear" if issubclass(cls, LinearCell) else "gated" if issubclass(cls, GatedCell) else "plain"
        yield {
            "name": name,
            "cell": cls.__name__,
            "layer": LAYERS[name].__name__,
            "kind": kind,
            "summary": " ".join(summary.split()),
            "equations": rest.split("\n\n")[0],
            "states": ", ".join(cls.states),
            "gates": ", ".join(cls.gates),
        }


def cells_page() -> str:
    """Return the page of all cells: what each is, its equations, states, gates and layer."""
    lines = [
        "# Cells",
        "",
        "Every cell of the catalogue, from its docstring: σ is the recurrent activation, ∘ the elementwise",
        "product, and a prime marks what a step makes new. `zoo list cells` prints the names.",
    ]
    for row in cell_rows():
        lines += [
            "",
            f"## `{row['name']}`",
            "",
            row["summary"],
            "",
            "```text",
            row["equations"],
            "```",
            "",
            f"Layer `zoo.layers.{row['layer']}`, cell `zoo.cells.{row['cell']}`, kind {row['kind']};",
            f"states {row['states']}; gates {row['gates']}.",
        ]
    return "\n".join(lines) + "\n"


def cells_table() -> str:
    """Return the README's table of cells."""
    lines = ["| name | layer | kind | what it is |", "| --- | --- | --- | --- |"]
    lines += [f"| `{r['name']}` | `{r['layer']}` | {r['kind']} | {r['summary']} |" for r in cell_rows()]
    return "\n".join(lines)


# --- presets ---------------------------------------------------------------------------------------------


def presets_page() -> str:
    """Return the page of all shipped presets: their cards, one below the other."""
    lines = [
        "# Presets",
        "",
        "The models that are shipped, from their cards. `zoo list presets` prints the names.",
    ]
    for name, folder in zoo.list_presets().items():
        card = (Path(folder) / "README.md").read_text("utf-8")
        lines += ["", f"## `{name}`", "", re.sub(r"^#", "##", _without_title(card), flags=re.MULTILINE)]
    return "\n".join(lines) + "\n"


def _without_title(text: str) -> str:
    return re.sub(r"\A# .*\n+", "", text)


def numbers_table() -> str:
    """Return the README's tables of measured numbers, one for each application, from the shipped presets' metadata."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, folder in zoo.list_presets().items():
        metadata = json.loads((Path(folder) / "metadata.json").read_text("utf-8"))
        tables, metrics = NUMBERS[metadata["application"]], metadata.get("metrics", {})
        columns = next((each for each in tables if next(iter(each)) in metrics), tables[0])
        heads = tuple(heading for heading, _ in columns.values())
        if heads not in found:
            found[heads] = [
                f"| preset | parameters | {' | '.join(heads)} |",
                "| --- |" + " ---: |" * (1 + len(heads)),
            ]
        cells = [form.format(metrics[key]) if key in metrics else "-" for key, (_, form) in columns.items()]
        found[heads].append(f"| `{name}` | {metadata['parameters']:,} | {' | '.join(cells)} |")
    return "\n\n".join("\n".join(lines) for lines in found.values()) or "None is shipped yet."


# --- what commands printed: docs/measured holds their JSON, unchanged -----------------------------------------


def _measured(name: str) -> dict:
    return json.loads((ROOT / "docs" / "measured" / f"{name}.json").read_text("utf-8"))


def accuracy_table(corpus: str, examples: str, preset: str, more: Mapping[str, str] | None = None) -> str:
    """Return the table of accuracies on a test split: the shipped preset, the seeds of its recipe, baselines.

    Args:
        corpus: files begin with `sentiment_<corpus>_`: `en.json` of the preset, `seed_<seed>.json`, and
            `models.csv` with the baselines. What is not there is left out.
        examples: what the baselines have learned from, in words.
        preset: its name.
        more: other recipes that were measured, in words, by what stands before `seed_` in their files' names.
    """
    found = {
        path.stem.removeprefix(f"sentiment_{corpus}_"): path
        for path in sorted((ROOT / "docs" / "measured").glob(f"sentiment_{corpus}_*"))
    }
    rows = []
    if "en" in found:
        metadata = json.loads((Path(zoo.list_presets()[preset]) / "metadata.json").read_text("utf-8"))
        what = f"`{preset}` (seed {metadata['seed']}, chosen on validation; float16)"
        rows.append((what, _measured(found["en"].stem)["accuracy"]))
    for begin, what in {"": "the same recipe" if rows else "the recipe", **(more or {})}.items():
        seeds = {
            name.removeprefix(f"{begin}seed_"): _measured(found[name].stem)["accuracy"]
            for name in found
            if name.startswith(f"{begin}seed_")
        }
        if seeds:
            each = ", ".join(f"{100 * value:.2f}" for value in seeds.values())
            many = f"seeds {', '.join(seeds)}: {each}; mean" if len(seeds) > 1 else f"seed {', '.join(seeds)}"
            rows.append((f"{what}, {many}", statistics.mean(seeds.values())))
    if "models" in found:
        with open(found["models"], encoding="utf-8", newline="") as file:
            baselines = list(csv.DictReader(file))[1:]
        rows += [(f"{row['model']}, on {examples}", float(row["accuracy"])) for row in baselines]
    lines = ["| model | accuracy, % |", "| --- | ---: |"]
    return (
        "\n".join([*lines, *(f"| {name} | {100 * value:.2f} |" for name, value in rows)]) if rows else NOT_YET
    )


def sst2_accuracy_table() -> str:
    """Return the table of accuracies on the test split of SST-2."""
    alone = {"alone_": "the recipe `sst2`, no text from outside SST"}
    return accuracy_table("sst2", "the 6,920 sentences", "sentiment_sst2_en", alone)


def sst5_accuracy_table() -> str:
    """Return the table of accuracies on the test split of SST-5."""
    return accuracy_table("sst5", "the 8,544 sentences", "sentiment_sst2_en")


def imdb_accuracy_table() -> str:
    """Return the table of accuracies on the test split of IMDb."""
    first = {"first_": "the first students"}
    return accuracy_table("imdb", "the 22,500 reviews", "sentiment_imdb_en", first)


def imdb_options_table() -> str:
    """Return the table of what each option changes: what `zoo compare --json` wrote of runs that differ in one.

    The first run is what the others are compared with; of each other one its own settings are named.
    """
    path = ROOT / "docs" / "measured" / "sentiment_imdb_options.json"
    if not path.exists():
        return NOT_YET
    first, *others = json.loads(path.read_text("utf-8"))
    told = ("runs", "seeds", "seconds", "accuracy", "macro_f1", "roc_auc", "log_loss", "calibration_error")
    settings = [key for key in first if key not in told and not key.endswith("_sd")]
    lines = ["| changed | accuracy, % | ROC-AUC | log-loss |", "| --- | ---: | ---: | ---: |"]
    for row in (first, *others):
        changed = [f"`{key}={_setting(row[key])}`" for key in settings if row[key] != first[key]]
        numbers = [f"{100 * row['accuracy']:.2f}", f"{row['roc_auc']:.4f}", f"{row['log_loss']:.3f}"]
        lines.append(f"| {' | '.join([', '.join(changed) or 'nothing', *numbers])} |")
    return "\n".join(lines)


def _setting(value: Any) -> str:
    """Return a value as `--set NAME=VALUE` takes it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def sst2_speed_table() -> str:
    """Return the table of times of the preset on SST-2's test sentences."""
    return preset_speed_table("sst2", "sentence")


def imdb_speed_table() -> str:
    """Return the table of times of the preset on IMDb's test reviews."""
    return preset_speed_table("imdb", "review")


def preset_speed_table(corpus: str, text: str) -> str:
    """Return the table of what `scripts/speed.py` wrote of a corpus, a row a backend; `text` is what a text is."""
    lines = [
        f"| backend | one {text}, median, ms | nine of ten under, ms | {text}s a second |",
        "| --- | ---: | ---: | ---: |",
    ]
    for backend in ("tensorflow", "jax", "torch"):
        found = _measured(f"sentiment_{corpus}_speed_{backend}")
        name = f"{backend} {found['backend_version']}"
        rate = f"{found['texts_per_second']:,.0f}"
        lines.append(f"| {name} | {found['latency_ms']:.1f} | {found['latency_ms_90']:.1f} | {rate} |")
    return "\n".join(lines)


def tatoeba_table() -> str:
    """Return the table of BLEU on Tatoeba's test split."""
    return bleu_table("tatoeba", unseen=True)


def multi30k_table() -> str:
    """Return the table of BLEU on Multi30k's test split."""
    return bleu_table("multi30k")


def bleu_table(corpus: str, unseen: bool = False) -> str:
    """Return the table of what `zoo evaluate --json` wrote of networks on a corpus, with attention and without.

    Args:
        corpus: the files are `translation_<corpus>_<direction>.json`; of networks without attention
            `..._none.json`.
        unseen: whether there is a column of the pairs that training has not seen.
    """
    found = sorted((ROOT / "docs" / "measured").glob(f"translation_{corpus}_*.json"))
    heads = ["BLEU", *["without pairs seen in training"] * unseen, "chrF", "log-loss"]
    lines = [f"| direction | network | {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * len(heads)]
    for path in found:
        measured = json.loads(path.read_text("utf-8"))
        direction = f"{measured['source_language']} → {measured['target_language']}"
        network = "the same without attention" if path.stem.endswith("_none") else "with attention"
        keys = ["bleu", *["bleu_unseen"] * unseen, "chrf", "log_loss"]
        numbers = [f"{measured[key]:.{3 if key == 'log_loss' else 2}f}" for key in keys]
        lines.append(f"| {direction} | {network} | {' | '.join(numbers)} |")
    return "\n".join(lines) if found else NOT_YET


def ett_table() -> str:
    """Return the table of errors on the test splits of ETT."""
    return forecasts_table(ETT, ERRORS | COVERAGE)


def m4_table() -> str:
    """Return the table of errors on the test splits of M4."""
    return forecasts_table(M4, COMPETITION | COVERAGE)


def forecasts_table(sets: Mapping[str, str], columns: Mapping[str, tuple[str, str]]) -> str:
    """Return the table of what `zoo evaluate --json` wrote of the seeds of a recipe, and their mean and deviation.

    Args:
        sets: the files of a data set are `forecasting_<set>_seed_<seed>.json`; those that are not there are left out.
        columns: key of a measurement -> heading and format.
    """
    heads = [heading for heading, _ in columns.values()]
    lines = [f"| data | seed | {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * len(heads)]
    for name, file in sets.items():
        paths = sorted((ROOT / "docs" / "measured").glob(f"forecasting_{file}_seed_*.json"))
        found = {path.stem.rpartition("_")[2]: _measured(path.stem) for path in paths}
        rows = {
            seed: [f"{one[key]:{form}}" for key, (_, form) in columns.items()] for seed, one in found.items()
        }
        if len(found) > 1:
            both = {
                key: [statistics.mean(each), statistics.stdev(each)]
                for key in columns
                if (each := [one[key] for one in found.values()])
            }
            rows["mean ± sd"] = [
                " ± ".join(f"{x:{columns[key][1]}}" for x in pair) for key, pair in both.items()
            ]
        lines += [f"| {name} | {seed} | {' | '.join(cells)} |" for seed, cells in rows.items()]
    return "\n".join(lines) if len(lines) > 2 else NOT_YET


def translation_speed_table() -> str:
    """Return the table of what `scripts/speed.py` wrote of Multi30k's test sentences, a row a backend."""
    lines = [
        "| backend | one sentence, greedy, median, ms | sentences a second, beam 5 | 1,000 sentences, s |",
        "| --- | ---: | ---: | ---: |",
    ]
    for backend in ("tensorflow", "jax", "torch"):
        names = [f"translation_speed_{backend}_{kind}" for kind in ("short", "beam5")]
        if not all((ROOT / "docs" / "measured" / f"{name}.json").exists() for name in names):
            continue
        short, many = map(_measured, names)
        rate = many["texts_per_second"]
        name = f"{backend} {many['backend_version']}"
        lines.append(f"| {name} | {short['latency_ms']:.1f} | {rate:,.0f} | {1000 / rate:.1f} |")
    return "\n".join(lines) if len(lines) > 2 else NOT_YET


def speed_machine() -> str:
    """Return on what machine, when and how the speed was measured."""
    found = _speed()
    if found is None:
        return NOT_YET
    machine, versions = found["machine"], found["versions"]
    names = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    devices = {one["device"].upper() for one in found["measurements"] if "device" in one}
    return (
        f"Measured on {found['date']} by `{found['command']}`, {found['minutes']:.0f} minutes, {found['rounds']} "
        f"rounds: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB, "
        f"{machine['system']}, on {', '.join(sorted(devices))}; load average at the start "
        f"{machine['load_average'][0]}; {found['threads']} threads for everyone; {names}."
    )


def speed_table() -> str:
    """Return the table of the numbers to reach: what was measured, with musts, aims and verdicts."""
    lines = [
        "| number to reach | comparison | backend | measured | quartiles | must | aim | |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    last = None
    for row in _speed_rows(judged=True):
        words = "" if row["target"] == last else row["target"]
        last = row["target"]
        limits = ["" if row[name] is None else f"{row[name]:g}" for name in ("must", "aim")]
        cells = [words, row["what"], row["backend"], *_ratio(row), *limits, row["verdict"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) if len(lines) > 2 else NOT_YET


def speed_others_table() -> str:
    """Return the table of comparisons that no number to reach is set for."""
    lines = ["| comparison | backend | measured | quartiles |", "| --- | --- | ---: | ---: |"]
    rows = _speed_rows(judged=False)
    lines += [f"| {' | '.join([row['what'], row['backend'], *_ratio(row)])} |" for row in rows]
    return "\n".join(lines) if len(lines) > 2 else NOT_YET


def speed_times_table() -> str:
    """Return the table of times: contestants and loops down, shapes across; memory and first step of the first."""
    found = [
        one for one in (_speed() or {}).get("measurements", []) if one["suite"] in ("train", "inference")
    ]
    shapes = list(dict.fromkeys(tuple(one["shape"]) for one in found))
    heads = [*("×".join(map(str, shape)) for shape in shapes), "first step, s", "peak, MB"]
    lines = [f"| step | contestant | {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * len(heads)]
    for train, label in dict.fromkeys((one["train"], one["label"]) for one in found):
        mine = {tuple(one["shape"]): one for one in found if (one["train"], one["label"]) == (train, label)}
        ms = [mine[shape].get("median_ms") if shape in mine else None for shape in shapes]
        times = ["-" if value is None else f"{value:.1f}" for value in ms]
        first = next(iter(mine.values()))
        more = [f"{first[key]:{form}}" if key in first else "-" for key, form in MORE.items()]
        cells = ["training" if train else "forward", label, *times, *more]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) if found else NOT_YET


def _speed() -> dict | None:
    return _measured("speed") if (ROOT / "docs" / "measured" / "speed.json").exists() else None


def _speed_rows(judged: bool) -> list[dict]:
    return [row for row in (_speed() or {}).get("rows", []) if (row["target"] is not None) == judged]


def _ratio(row: dict) -> list[str]:
    if row["value"] is None:
        return ["-", row["reason"].replace("|", "\\|")]
    unit = " s" if row["unit"] == "s" else ""
    return [f"{row['value']:.2f}{unit}", "{:.2f} to {:.2f}".format(*row["spread"])]


# --- applications and names ------------------------------------------------------------------------------


def application_pages() -> dict[str, str]:
    """Return the page of each application: its README."""
    readmes = sorted((ROOT / "applications").glob("*/README.md"))
    return {
        path.parent.name: f"```{{include}} ../../{path.relative_to(ROOT).as_posix()}\n```\n"
        for path in readmes
    }


def public_modules(package: str) -> list[str]:
    """Return the modules of a package, the package first, without private ones and those of a single backend."""
    path = getattr(import_module(package), "__path__", [])
    names = [module.name for module in pkgutil.walk_packages(path, f"{package}.")]
    return [
        package,
        *(name for name in sorted(names) if not re.search(r"\._|\.(tensorflow|jax|torch)$", name)),
    ]


def reference_page(package: str) -> str:
    """Return the page of all public names of a package, module by module."""
    lines = [f"# `{package}`"]
    for module in public_modules(package):
        own = [] if module == package else ["", f"## `{module.removeprefix(package + '.')}`"]
        directive = (
            f".. automodule:: {module}\n   :members:\n   :show-inheritance:\n   :ignore-module-all:\n"
            f"   :exclude-members: {', '.join(NOT_OURS)}"
        )
        lines += [*own, "", "```{eval-rst}", directive, "```"]
    return "\n".join(lines) + "\n"


def reference_packages() -> list[str]:
    """Return what has a page: the rooms of the library, and the applications."""
    rooms = [module.name for module in pkgutil.iter_modules(zoo.__path__) if not module.name.startswith("_")]
    return [*(f"zoo.{room}" for room in rooms), "applications"]


# --- writing ---------------------------------------------------------------------------------------------


def pages(folder: Path) -> None:
    """Write all generated pages into `folder`, and leave alone those that have not changed."""
    written = {"cells.md": cells_page(), "presets.md": presets_page()}
    written |= {f"application_{name}.md": text for name, text in application_pages().items()}
    written |= {
        f"reference_{name.replace('.', '_')}.md": reference_page(name) for name in reference_packages()
    }
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.md"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


BLOCKS = {  # file -> its generated blocks
    "README.md": {"cells": cells_table, "numbers": numbers_table},
    "docs/guides/pretraining.md": {"options": imdb_options_table},
    "docs/guides/speed.md": {
        "machine": speed_machine,
        "speed": speed_table,
        "others": speed_others_table,
        "times": speed_times_table,
    },
    "applications/forecasting/README.md": {"ett": ett_table, "m4": m4_table},
    "applications/sentiment/README.md": {
        "imdb": imdb_accuracy_table,
        "accuracy": sst2_accuracy_table,
        "degrees": sst5_accuracy_table,
        "speed": sst2_speed_table,
        "imdb_speed": imdb_speed_table,
    },
    "applications/translation/README.md": {
        "tatoeba": tatoeba_table,
        "multi30k": multi30k_table,
        "speed": translation_speed_table,
    },
}


def fill(file: str, text: str) -> str:
    """Return the text of a file with its generated blocks filled."""
    for name, table in BLOCKS[file].items():
        block = re.compile(rf"(<!-- generated: {name} [^\n]*-->\n).*?(<!-- end: {name} -->)", re.DOTALL)
        if len(block.findall(text)) != 1:
            raise ValueError(f"{file}: not exactly one block 'generated: {name} ... end: {name}'")
        filled = table()
        text = block.sub(lambda match, filled=filled: f"{match[1]}{filled}\n{match[2]}", text)
    return text


if __name__ == "__main__":
    for file in BLOCKS:
        (ROOT / file).write_text(fill(file, (ROOT / file).read_text("utf-8")), "utf-8")
