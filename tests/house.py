"""The rules of the house, read from the source without importing it: each check returns what breaks a rule.

A check takes the root of a tree, so that it can be tried on a made-up tree as well as on this one; it
returns lines such as `zoo/cells/lstm.py:3: imports zoo.layers`: an empty list is a house in order.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ANY_ZOO = ("zoo",)
BELOW_TASKS = tuple(
    f"zoo.{room}"
    for room in "cells loops layers losses metrics models decoding preprocessing presets".split()
)
BELOW_INSPECT = (*BELOW_TASKS, "zoo.tasks")
PLOTS = ("matplotlib",)
TABLES = ("numpy", "sklearn", "pandas", "matplotlib", "tensorflow_datasets")


@dataclass(frozen=True)
class Room:
    """What the files under one folder may import, beside the standard library, `zoo.errors` and one another.

    Attributes:
        floor: its floor, the higher the later.
        may: folders of ours, with all that is under them.
        third: packages of others; those of `ALWAYS_LATE` inside a function only.
    """

    floor: int
    may: tuple[str, ...] = ()
    third: tuple[str, ...] = ()


FLOORS = {
    "zoo.errors": Room(0),
    "zoo.cells": Room(0, (), ("keras",)),
    "zoo.loops": Room(1, ("zoo.cells",), ("keras",)),
    "zoo.layers": Room(2, ("zoo.cells", "zoo.loops"), ("keras",)),
    "zoo.losses": Room(2, ("zoo.cells", "zoo.loops"), ("keras",)),
    "zoo.metrics": Room(2, ("zoo.cells", "zoo.loops"), ("keras",)),
    "zoo.models": Room(3, ("zoo.cells", "zoo.layers", "zoo.losses"), ("keras",)),
    "zoo.decoding": Room(3, ("zoo.layers", "zoo.losses"), ("keras",)),
    "zoo.preprocessing": Room(3, (), ("numpy", "sentencepiece", "h5py")),
    "zoo.presets": Room(3, (), ("numpy", "sentencepiece", "h5py")),
    "zoo.tasks": Room(4, BELOW_TASKS, ("keras", "numpy", "tensorflow")),
    "zoo.inspect": Room(5, BELOW_INSPECT, ("keras", "numpy", *PLOTS)),
    "zoo.convert": Room(5, BELOW_INSPECT, ("keras", "numpy", *PLOTS)),
    "zoo.testing": Room(5, BELOW_INSPECT, ("keras", "numpy", *PLOTS)),
    "applications.core": Room(6, ANY_ZOO, TABLES),
    "applications.cli": Room(8, ("zoo", "applications"), ("typer", "rich")),
    "scripts": Room(8, ("applications",)),
}
APPLICATION = Room(7, (*ANY_ZOO, "applications.core"), (*TABLES, "sacrebleu", "statsmodels", "scoringrules"))
BACKENDS = ("tensorflow", "jax", "torch")
ALWAYS_LATE = ("matplotlib", "tensorflow", "jax", "torch", "tensorflow_datasets", "pandas")

# Rooms that may import what the table does not say: (room, import) -> why.
EXCEPTIONS = {
    (
        "zoo.preprocessing",
        "zoo.presets",
    ): "a preprocessor checks its preset's dictionary by the store's schema",
    ("zoo.loops", "numpy"): "memory for code that runs outside of a graph",
    ("zoo.loops", "llvmlite"): "machine code of the compiled loop; imported there, at its first use",
    ("zoo.metrics", "numpy"): "metrics are of answers that have left the network: arrays, not tensors",
    (
        "zoo.tasks",
        "torch",
    ): "a call without gradients; the state of PyTorch's own generator belongs to a checkpoint",
    ("zoo.tasks", "jax"): "a call that is compiled once for each shape",
    (
        "zoo.tasks",
        "sacrebleu",
    ): "BLEU and chrF are what translators are chosen by; imported there, at its first use",
    (
        "zoo.tasks",
        "pandas",
    ): "forecasters are given tables and answer with tables; imported there, at its first use",
    (
        "zoo.tasks",
        "sklearn",
    ): "an estimator of scikit-learn inherits from it; its file is imported when it is asked for",
    ("applications.core", "keras"): "starts the backend quietly and tells its versions",
    ("applications.core", "applications"): "lists the folders of applications; it imports none by name",
    **{
        ("applications.core", peer): "the benchmark runs the layers of every framework beside ours"
        for peer in ("tensorflow", "jax", "torch", "flax")
    },
}

APPLICATION_FILES = (
    "__init__.py",
    "README.md",
    "options.py",
    "data.py",
    "recipes.py",
    "train.py",
    "report.py",
    "predict.py",
)
NOT_APPLICATIONS = ("core",)

# Methods of Keras's contracts, which Keras documents: a class that inherits from Keras need not say it again.
KERAS_METHODS = frozenset(
    "build call compute_mask compute_output_shape compute_output_spec from_config get_config"
    " get_initial_state reset_state result update_state state_size"
    " on_epoch_begin on_epoch_end on_train_batch_end".split()
)


def python_files(root: Path) -> Iterator[Path]:
    """Yield the Python files of the library, the applications and the scripts, in order."""
    for top in ("zoo", "applications", "scripts"):
        yield from sorted(path for path in (root / top).rglob("*.py") if "__pycache__" not in path.parts)


def module_name(path: Path, root: Path) -> str:
    """Return the dotted name of a file: `zoo/cells/__init__.py` is `zoo.cells`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# --- imports -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """One import: the dotted name that is asked for, its line, and whether it waits for a call."""

    name: str
    line: int
    late: bool


def imports(path: Path, root: Path) -> Iterator[Import]:
    """Yield what a file asks for, also by `import_module("...")`: `from zoo import cells` is `zoo.cells`."""
    package = module_name(path, root).split(".")
    package = package if path.name == "__init__.py" else package[:-1]

    def visit(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield from (Import(f"{start}.{alias.name}", node.lineno, late) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield Import(node.args[0].value, node.lineno, late)
        late = (
            late
            or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            or _typing_only(node)
        )
        for child in ast.iter_child_nodes(node):
            yield from visit(child, late)

    yield from visit(ast.parse(path.read_text("utf-8")), late=False)


def _typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _under(name: str, folders: tuple[str, ...]) -> bool:
    return any(name == folder or name.startswith(f"{folder}.") for folder in folders)


def room_of(name: str) -> tuple[str, Room] | None:
    """Return the name of the room of a module and its rules, or None for a module that has no place."""
    parts = name.split(".")
    key = "scripts" if parts[0] == "scripts" else ".".join(parts[:2])
    if key in FLOORS:
        return key, FLOORS[key]
    if parts[0] == "applications" and len(parts) >= 2:
        return key, APPLICATION
    return None


def import_violations(root: Path) -> list[str]:
    """Return the imports that the table of floors does not allow, and the files that have no floor."""
    found = []
    for path in python_files(root):
        name, where = module_name(path, root), path.relative_to(root).as_posix()
        if name in ("zoo", "applications"):
            outside = [i for i in imports(path, root) if not _standard(i.name) and not i.late]
            found += [
                f"{where}:{i.line}: imports {i.name} at once: `import {name}` loads nothing" for i in outside
            ]
            continue
        if (room := room_of(name)) is None:
            found.append(f"{where}: has no floor in the table")
            continue
        found += [
            f"{where}:{i.line}: {fault}" for i in imports(path, root) if (fault := _fault(i, name, *room))
        ]
    return found


def _standard(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names


def _fault(item: Import, name: str, key: str, room: Room) -> str | None:
    top = item.name.split(".")[0]
    excepted = tuple(other for room_key, other in EXCEPTIONS if room_key == key)
    if top in ("zoo", "applications", "scripts", "tests"):
        own = () if key == "scripts" else (key,)
        allowed = (*own, "zoo.errors", *room.may, *(other for other in excepted if "." in other))
        if item.name in excepted or _under(item.name, allowed):
            return None
        return f"imports {item.name}: {key} may import {', '.join(allowed)}"
    if _standard(item.name):
        return None
    if key == "zoo.loops" and top in BACKENDS:
        named = top in re.split(r"[._]", name.removeprefix("zoo.loops"))
        return None if named else f"imports {item.name}: only the file of zoo/loops named after it may"
    if top not in (*room.third, *excepted):
        return f"imports {item.name}: {key} may use {', '.join(room.third) or 'the standard library alone'}"
    waits = ALWAYS_LATE if room.floor < 6 else (*ALWAYS_LATE, "keras")
    if top in waits and not item.late and not name.endswith(".builder"):
        return f"imports {item.name} at once: import it inside the function that needs it"
    return None


# --- docstrings ----------------------------------------------------------------------------------------


def docstring_violations(root: Path) -> list[str]:
    """Return the public classes, functions and methods that have no docstring, nor inherit one.

    A method inherits the docstring of the method that it overrides: of a class of this tree, or of Keras.
    """
    trees = {path: ast.parse(path.read_text("utf-8")) for path in python_files(root)}
    classes = {
        node.name: node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = []
    for path, tree in trees.items():
        for node in _public(tree.body):
            where = f"{path.relative_to(root).as_posix()}:{node.lineno}: {node.name}"
            if not ast.get_docstring(node):
                found.append(f"{where} has no docstring")
            if isinstance(node, ast.ClassDef):
                bare = [method for method in _public(node.body) if not ast.get_docstring(method)]
                found += [
                    f"{where}.{m.name} has no docstring" for m in bare if not _inherits(m, node, classes)
                ]
    return found


def _public(body: list[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in body:
        if not isinstance(
            node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) or node.name.startswith("_"):
            continue
        marks = [ast.unparse(mark) for mark in node.decorator_list]
        if not any(mark.endswith((".setter", ".deleter", "overload")) for mark in marks):
            yield node


def _inherits(method: ast.AST, cls: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    for base in cls.bases:
        name = ast.unparse(base).split("[")[0].split(".")[-1]
        if name not in classes:
            if method.name in KERAS_METHODS and name not in ("object", "Protocol", "Generic", "ABC"):
                return True
            continue
        own = [node for node in _public(classes[name].body) if node.name == method.name]
        if any(ast.get_docstring(node) for node in own) or _inherits(method, classes[name], classes):
            return True
    return False


# --- the catalogue, the applications, and what no file may hold ----------------------------------------


def keys_of(path: Path, variable: str) -> list[str]:
    """Return the keys of the dictionary that a module gives `variable`, in the order of the file.

    It is one literal, or a comprehension over one literal tuple of functions, by name.
    """
    for node in ast.parse(path.read_text("utf-8")).body:
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        if not isinstance(target, ast.Name) or target.id != variable:
            continue
        if isinstance(node.value, ast.Dict):
            return [ast.literal_eval(key) for key in node.value.keys]
        if isinstance(node.value, ast.DictComp) and isinstance(node.value.generators[0].iter, ast.Tuple):
            return [name.id for name in node.value.generators[0].iter.elts]
    raise LookupError(f"{path}: no dictionary {variable} = {{...}}")


def catalogue_violations(root: Path) -> list[str]:
    """Return where the catalogue, the files of `zoo/cells` and the reference equations disagree."""
    files = {path.stem for path in (root / "zoo/cells").glob("*.py")} - {"__init__", "cell"}
    catalogue = keys_of(root / "zoo/cells/__init__.py", "CATALOGUE")
    references = keys_of(root / "tests/cells/references.py", "REFERENCES")
    found = []
    for name in sorted({*files, *catalogue, *references}):
        if max(catalogue.count(name), references.count(name)) > 1:
            found.append(f"{name} stands twice in one dictionary")
        if name not in catalogue:
            found.append(f"{name} is not in CATALOGUE of zoo/cells/__init__.py")
        if name not in files:
            found.append(f"{name} has no file zoo/cells/{name}.py")
        if name not in references:
            found.append(f"{name} has no reference equation in tests/cells/references.py")
    return found


def application_violations(root: Path) -> list[str]:
    """Return the files that an application folder lacks."""
    folders = [path for path in sorted((root / "applications").iterdir()) if path.is_dir()]
    folders = [path for path in folders if path.name not in (*NOT_APPLICATIONS, "__pycache__")]
    return [
        f"applications/{folder.name} has no {name}"
        for folder in folders
        for name in APPLICATION_FILES
        if not (folder / name).is_file()
    ]


def size_violations(root: Path, each: int = 10 * 2**20, together: int = 60 * 2**20) -> list[str]:
    """Return the shipped presets that are too big: git keeps every version of them for ever.

    Args:
        root: the tree.
        each: what one preset may hold, in bytes.
        together: what all of them may hold, in bytes.
    """
    sizes = {
        folder.parent.name: sum(path.stat().st_size for path in folder.parent.rglob("*") if path.is_file())
        for folder in sorted((root / "zoo/presets").glob("*/config.json"))
    }
    found = [
        f"zoo/presets/{name} holds {size} bytes, more than {each}"
        for name, size in sizes.items()
        if size > each
    ]
    if sum(sizes.values()) > together:
        found.append(f"zoo/presets holds {sum(sizes.values())} bytes, more than {together}")
    return found


HOSTS = frozenset(  # of addresses that may stand in a file: papers, licences, conventions, made-up ones
    "arxiv.org doi.org www.apache.org keepachangelog.com semver.org keras.io creativecommons.org"
    " host example.com".split()
)
_UNSAFE = "|".join(("pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"))
FORBIDDEN = {
    rf"^\s*(import|from)\s+({_UNSAFE})\b": "imports a module that runs what it reads",
    r"allow_pickle\s*=\s*True": "lets NumPy run what it reads",
    r"safe_mode\s*=\s*False": "lets Keras run what it reads",
    r"enable_unsafe_deserialization\(": "lets Keras run what it reads",
    r"(?<![\w.~-])/(work|root|home|Users|opt|mnt)/(?!me/)\w": "a path of one machine",  # me is nobody
    r"\b[A-Z]:\\+Users\\+(?!\\|me\b)": "a path of one machine",
    r"(^|\s)--(extra-index-url|index-url|find-links|trusted-host)\b": "says where packages come from",
    r"\b(pypi|pythonhosted|npmjs|anaconda|huggingface)\.(org|com|co)\b": "the host of a registry",
    r"\b(localhost|\d{1,3}(\.\d{1,3}){3}):\d+": "the address of a machine",
}


def text_files(root: Path) -> Iterator[Path]:
    """Yield the files that git keeps, or would keep if all were added; all files where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = (
        subprocess.run(command, cwd=root, capture_output=True, check=False)
        if (root / ".git").exists()
        else None
    )
    if listed is not None and listed.returncode == 0:
        paths = [root / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = list(root.rglob("*"))
    for path in sorted(paths):
        if path.is_file() and "__pycache__" not in path.parts and b"\0" not in path.read_bytes()[:4096]:
            yield path


def content_violations(root: Path) -> list[str]:
    """Return the lines that hold unsafe loading, a path of a machine or the address of a host."""
    found = []
    for path in text_files(root):
        where = path.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            faults = [why for pattern, why in FORBIDDEN.items() if re.search(pattern, line)]
            hosts = {host.lower() for host in re.findall(r"https?://([\w.-]+)", line)} - HOSTS
            faults += [f"an address of {host}" for host in sorted(hosts)]
            found += [f"{where}:{number}: {why}: {line.strip()[:80]}" for why in faults]
    return found
