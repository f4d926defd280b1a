"""Write what follows from the source: pages on cells, presets, applications, names, and the README's tables.

`python docs/generate.py` writes the README's tables anew; Sphinx calls `pages` by itself.
"""

import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import zoo

# Columns of the table of measured numbers: the key in a preset's metrics, the heading, the format.
NUMBERS = {
    "accuracy": ("accuracy", "{:.4f}"),
    "macro_f1": ("macro-F1", "{:.4f}"),
    "roc_auc": ("ROC-AUC", "{:.4f}"),
}


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
    """Return the README's table of measured numbers, read from the metadata of the shipped presets."""
    heads = [heading for heading, _ in NUMBERS.values()]
    lines = [f"| preset | parameters | {' | '.join(heads)} |", "| --- |" + " ---: |" * (1 + len(heads))]
    presets = zoo.list_presets()
    for name, folder in presets.items():
        metadata = json.loads((Path(folder) / "metadata.json").read_text("utf-8"))
        metrics = metadata.get("metrics", {})
        cells = [form.format(metrics[key]) if key in metrics else "-" for key, (_, form) in NUMBERS.items()]
        lines.append(f"| `{name}` | {metadata['parameters']:,} | {' | '.join(cells)} |")
    if not presets:
        lines.append("| none is shipped yet | |" + " |" * len(heads))
    return "\n".join(lines)


# --- applications and names ------------------------------------------------------------------------------


def application_pages() -> dict[str, str]:
    """Return the page of each application: its README."""
    readmes = sorted((ROOT / "applications").glob("*/README.md"))
    return {
        path.parent.name: f"```{{include}} ../../{path.relative_to(ROOT).as_posix()}\n```\n"
        for path in readmes
    }


def public_modules(package: str) -> list[str]:
    """Return the modules of a package that can be imported here, the package first, without private names."""
    path = getattr(import_module(package), "__path__", [])
    names = [module.name for module in pkgutil.walk_packages(path, f"{package}.")]
    return [package, *(name for name in sorted(names) if not re.search(r"\._", name))]


def reference_page(package: str) -> str:
    """Return the page of all public names of a package, module by module."""
    lines = [f"# `{package}`"]
    for module in public_modules(package):
        own = [] if module == package else ["", f"## `{module.removeprefix(package + '.')}`"]
        directive = f".. automodule:: {module}\n   :members:\n   :show-inheritance:\n   :ignore-module-all:"
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


def fill(text: str) -> str:
    """Return the README with its generated blocks filled."""
    for name, table in {"cells": cells_table(), "numbers": numbers_table()}.items():
        block = re.compile(rf"(<!-- generated: {name} [^\n]*-->\n).*?(<!-- end: {name} -->)", re.DOTALL)
        if len(block.findall(text)) != 1:
            raise ValueError(f"README.md: not exactly one block 'generated: {name} ... end: {name}'")
        text = block.sub(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)
    return text


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(fill(readme.read_text("utf-8")), "utf-8")
