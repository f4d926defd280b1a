"""What a user can name, applications and cells, found without importing anything slow."""

import ast
import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

import applications as _applications
import zoo
from zoo.errors import unknown


def applications() -> dict[str, ModuleType]:
    """Return the `options` module of every application, by name."""
    found = pkgutil.iter_modules(_applications.__path__)
    names = sorted(module.name for module in found if module.ispkg and module.name != "core")
    return {name: import_module(f"applications.{name}.options") for name in names}


def application(name: str) -> ModuleType:
    """Return the `options` module of one application.

    Raises:
        UserError: no application has that name; the nearest names are suggested.
    """
    known = applications()
    if name not in known:
        raise unknown("application", name, known)
    return known[name]


def cells() -> dict[str, str]:
    """Return the name of every cell of `zoo.cells.CATALOGUE` with the first line of its docstring.

    The source is read, not imported, since importing it loads Keras.
    """
    folder = Path(zoo.__file__).parent / "cells"
    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")}
    classes = {
        node.name: node for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef)
    }
    catalogue = next(
        node.value
        for node in trees["__init__.py"].body
        if isinstance(node, ast.AnnAssign) and node.target.id == "CATALOGUE"
    )
    return {
        name.value: (ast.get_docstring(classes[cell.id]) or "").partition("\n")[0]
        for name, cell in zip(catalogue.keys, catalogue.values, strict=True)
    }
