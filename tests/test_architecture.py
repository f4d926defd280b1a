"""The tree is held to the house: each rule on this tree, and each rule on made-up trees that break it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import house

ROOT = Path(__file__).resolve().parents[1]
CHECKS = {
    "imports": house.import_violations,
    "docstrings": house.docstring_violations,
    "catalogue": house.catalogue_violations,
    "applications": house.application_violations,
    "content": house.content_violations,
    "sizes": house.size_violations,
}


@pytest.mark.parametrize("check", CHECKS)
def test_house_is_in_order(check):
    found = CHECKS[check](ROOT)
    assert not found, "\n" + "\n".join(found)


def test_house_is_not_empty():
    files = {path.relative_to(ROOT).as_posix() for path in house.python_files(ROOT)}
    assert {"zoo/__init__.py", "zoo/cells/lstm.py", "applications/cli.py", "scripts/train.py"} <= files
    assert {"pyproject.toml", "README.md", "zoo/cells/lstm.py", "docs/conf.py"} <= {
        path.relative_to(ROOT).as_posix() for path in house.text_files(ROOT)
    }
    assert "lstm" in house.keys_of(ROOT / "zoo/cells/__init__.py", "CATALOGUE")


def test_exceptions_are_used_and_say_why():
    for (key, other), why in house.EXCEPTIONS.items():
        files = [path for path in house.python_files(ROOT) if house.module_name(path, ROOT).startswith(key)]
        asked = {item.name for path in files for item in house.imports(path, ROOT)}
        assert any(f"{name}.".startswith(f"{other}.") for name in asked), f"{key} no longer imports {other}"
        assert len(why) > 20


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("zoo/cells/lstm.py", "from zoo.loops import run", "imports zoo.loops.run"),
        ("zoo/cells/lstm.py", "import zoo", "imports zoo:"),
        ("zoo/cells/lstm.py", "from zoo import layers", "imports zoo.layers"),
        ("zoo/cells/lstm.py", "from ..layers import recurrent", "imports zoo.layers.recurrent"),
        ("zoo/cells/lstm.py", "def f():\n    from zoo.layers import LSTM", ":2: imports zoo.layers.LSTM"),
        (
            "zoo/cells/lstm.py",
            "import importlib\nimportlib.import_module('zoo.tasks')",
            ":2: imports zoo.tasks",
        ),
        ("zoo/cells/lstm.py", "import tensorflow as tf", "imports tensorflow"),
        ("zoo/cells/lstm.py", "import numpy as np", "imports numpy"),
        ("zoo/errors.py", "import keras", "imports keras"),
        ("zoo/errors.py", "from zoo.cells import get", "imports zoo.cells.get"),
        ("zoo/loops/plain.py", "import jax", "imports jax: only the file"),
        ("zoo/loops/torch.py", "import jax.numpy as jnp", "imports jax.numpy: only the file"),
        ("zoo/loops/plain.py", "from zoo.layers import LSTM", "imports zoo.layers.LSTM"),
        ("zoo/layers/attention.py", "from zoo.metrics import f1", "imports zoo.metrics.f1"),
        ("zoo/layers/attention.py", "import torch", "imports torch"),
        ("zoo/presets/store.py", "import keras", "imports keras"),
        ("zoo/presets/store.py", "from zoo.cells import CATALOGUE", "imports zoo.cells.CATALOGUE"),
        ("zoo/presets/store.py", "from zoo.preprocessing import text", "imports zoo.preprocessing.text"),
        ("zoo/models/classifier.py", "from zoo.tasks import fitting", "imports zoo.tasks.fitting"),
        ("zoo/tasks/fitting.py", "import tensorflow as tf", "imports tensorflow at once"),
        ("zoo/tasks/fitting.py", "from zoo.inspect import trace", "imports zoo.inspect.trace"),
        ("zoo/tasks/fitting.py", "def f():\n    import scipy", "imports scipy"),
        ("zoo/inspect/trace.py", "import matplotlib.pyplot as plt", "imports matplotlib.pyplot at once"),
        ("zoo/tasks/fitting.py", "from applications.core import plots", "imports applications.core.plots"),
        (
            "applications/core/sources.py",
            "from applications.sentiment import data",
            "imports applications.sent",
        ),
        (
            "applications/sentiment/data.py",
            "import tensorflow_datasets",
            "imports tensorflow_datasets at once",
        ),
        (
            "applications/sentiment/data.py",
            "from applications.speech import data",
            "imports applications.speech",
        ),
        (
            "applications/sentiment/data.py",
            "from applications.cli import main",
            "imports applications.cli.main",
        ),
        ("applications/sentiment/data.py", "def f():\n    import keras", "imports keras"),
        ("applications/cli.py", "def f():\n    import keras", "imports keras"),
        ("applications/core/backend.py", "import keras", "imports keras at once"),
        ("applications/core/backend.py", "import applications.sentiment", "imports applications.sentiment"),
        ("scripts/train.py", "import typer", "imports typer"),
        ("scripts/train.py", "import zoo", "imports zoo:"),
        ("zoo/__init__.py", "from zoo.cells import CATALOGUE", "at once"),
        ("zoo/helpers.py", "", "has no floor"),
        ("zoo/utils/helpers.py", "", "has no floor"),
    ],
)
def test_import_that_points_up_is_found(tmp_path, file, text, fault):
    found = house.import_violations(write(tmp_path, {file: text}))
    assert len(found) == 1, found
    assert found[0].startswith(f"{file}:")
    assert fault in found[0]


def test_imports_that_point_down_are_allowed(tmp_path):
    files = {
        "zoo/__init__.py": "import sys\ndef f():\n    import zoo.cells",
        "zoo/errors.py": "import difflib",
        "zoo/cells/gru.py": "from . import cell",
        "zoo/cells/lstm.py": "import keras\nfrom zoo.cells.cell import Cell\nimport zoo.errors",
        "zoo/loops/torch.py": "import torch\nfrom zoo.cells import Cell",
        "zoo/loops/gated_jax.py": "import jax",
        "zoo/layers/recurrent.py": "from zoo.loops import run\nfrom zoo import cells",
        "zoo/models/classifier.py": "import keras\nfrom zoo.layers import LSTM",
        "zoo/preprocessing/text.py": "import sentencepiece\nfrom zoo.presets import schema",
        "zoo/tasks/fitting.py": "import numpy\nimport zoo.presets\ndef f():\n    import tensorflow",
        "applications/sentiment/report.py": "import zoo\nimport sklearn\nfrom applications.core import plots",
        "applications/sentiment/builder.py": "import tensorflow_datasets as tfds",
        "applications/cli.py": "import typer\nfrom applications.sentiment import options",
        "scripts/train.py": "import sys\nfrom applications.cli import main",
    }
    assert house.import_violations(write(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def f(): pass", "f has no docstring"),
        ("class A: pass", "A has no docstring"),
        ('class A:\n    """A."""\n    def f(self): pass', "A.f has no docstring"),
        ('class A:\n    """A."""\n    @property\n    def f(self): pass', "A.f has no docstring"),
        ('class A:\n    """A."""\n    def build(self, shape): pass', "A.build has no docstring"),
        ('class A(Layer):\n    """A."""\n    def other(self): pass', "A.other has no docstring"),
        (
            'class B:\n    """B."""\n    x = 1\nclass A(B):\n    """A."""\n    def f(self): pass',
            "A.f has no docstring",
        ),
    ],
)
def test_missing_docstring_is_found(tmp_path, text, fault):
    found = house.docstring_violations(write(tmp_path, {"zoo/cells/a.py": text}))
    assert len(found) == 1, found
    assert fault in found[0]


def test_inherited_docstring_is_enough(tmp_path):
    base = 'class Base:\n    """B."""\n    def f(self):\n        """F."""'
    heir = (
        'class Heir(cell.Base):\n    """H."""\n    def f(self): pass\n    def _g(self): pass\ndef _h(): pass'
    )
    layer = 'class L(keras.layers.Layer):\n    """L."""\n    def build(self, shape): pass'
    files = {"zoo/cells/cell.py": base, "zoo/cells/heir.py": heir, "zoo/layers/l.py": layer}
    assert house.docstring_violations(write(tmp_path, files)) == []


@pytest.mark.parametrize("missing", ["file", "catalogue", "reference"])
def test_incomplete_cell_is_found(tmp_path, missing):
    names = dict.fromkeys(("catalogue", "reference"), "{'a': 1, 'b': 2}")
    names[missing] = "{'a': 1}"
    files = {
        "zoo/cells/cell.py": "",
        "zoo/cells/a.py": "",
        "zoo/cells/__init__.py": f"CATALOGUE: dict[str, type] = {names['catalogue']}",
        "tests/cells/references.py": f"REFERENCES = {names['reference']}",
    } | ({} if missing == "file" else {"zoo/cells/b.py": ""})
    [found] = house.catalogue_violations(write(tmp_path, files))
    assert found.startswith("b ")


def test_catalogue_that_is_no_literal_is_an_error(tmp_path):
    files = {"zoo/cells/__init__.py": "CATALOGUE = make()", "tests/cells/references.py": "REFERENCES = {}"}
    with pytest.raises(LookupError, match="CATALOGUE"):
        house.catalogue_violations(write(tmp_path, files))


def test_incomplete_application_is_found(tmp_path):
    files = {f"applications/{a}/{name}": "" for a in ("core", "speech") for name in house.APPLICATION_FILES}
    root = write(tmp_path, files)
    (root / "applications/core/report.py").unlink()
    assert house.application_violations(root) == []
    (root / "applications/speech/report.py").unlink()
    assert house.application_violations(root) == ["applications/speech has no report.py"]


def test_big_preset_is_found(tmp_path):
    files = {
        f"zoo/presets/{name}/{file}": "x" * 40
        for name in "ab"
        for file in ("config.json", "model.weights.h5")
    }
    root = write(tmp_path, files)
    assert house.size_violations(root, each=80, together=160) == []
    assert len(house.size_violations(root, each=79, together=160)) == 2
    assert len(house.size_violations(root, each=80, together=159)) == 1


@pytest.mark.parametrize(  # written in parts, so that this file does not hold what no file may
    "parts",
    [
        ("import ", "pickle"),
        ("    from cloud", "pickle import loads"),
        ("np.load(f, allow_", "pickle=True)"),
        ("load_model(f, safe_", "mode=False)"),
        ("keras.config.enable_unsafe_", "deserialization()"),
        ("open('/ho", "me/someone/x.txt')"),
        ("see /wo", "rk/main"),
        ("C:\\", "Users\\x"),
        ("--extra-index", "-url something"),
        ("http:", "//local", "host:8000"),
        ("10.0.0", ".1:3128"),
        ("https:", "//py", "pi.org/simple"),
        ("https:", "//somewhere.net/file"),
    ],
)
def test_forbidden_content_is_found(tmp_path, parts):
    root = write(
        tmp_path,
        {
            "README.md": "fine: ../elsewhere/x, /home/me/x, sst:PATH, https://arxiv.org/abs/1",
            "a/b.txt": f"\n{''.join(parts)}\n",
        },
    )
    found = house.content_violations(root)
    assert found
    assert all(line.startswith("a/b.txt:2: ") for line in found)


@pytest.mark.parametrize("module", ["zoo", "zoo.presets", "zoo.errors", "applications.cli"])
def test_import_loads_no_backend(module):
    heavy = {"keras", "tensorflow", "jax", "torch", "matplotlib", "sklearn", "tensorflow_datasets", "pandas"}
    code = f"import sys, {module}; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_applications_tell_their_options_without_a_backend():
    names = [path.parent.name for path in ROOT.glob("applications/*/options.py")]
    assert "sentiment" in names
    modules = ", ".join(f"applications.{name}.{file}" for name in names for file in ("options", "recipes"))
    code = f"import sys, {modules}; print(*sorted({{'keras', 'tensorflow', 'sklearn'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
