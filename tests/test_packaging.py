"""What is pinned, told and shipped agrees: pyproject.toml, the requirements, the README, the citation."""

import importlib.util
import re
import subprocess
import tomllib
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import zoo

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCKS = ("requirements.txt", "requirements-dev.txt")


def pins(name: str) -> dict[str, str]:
    """Return package -> version of a requirements file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+) \\$", (ROOT / name).read_text("utf-8"), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes_and_nothing_else_stands_there(name):
    lines = [line.strip() for line in (ROOT / name).read_text("utf-8").splitlines()]
    lines = [line.removesuffix("\\").strip() for line in lines if line and not line.startswith("#")]
    kinds = [
        "hash" if re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) else "pin" if "==" in line else ""
        for line in lines
    ]
    assert "" not in kinds, [line for line, kind in zip(lines, kinds, strict=True) if not kind]
    assert kinds.count("pin") == len(pins(name)) > 20
    assert kinds[-1] == "hash"
    assert all(after == "hash" for before, after in pairwise(kinds) if before == "pin")


def test_pins_satisfy_what_pyproject_asks():
    core, tools = (pins(name) for name in LOCKS)
    extras = PROJECT["optional-dependencies"]
    for pinned, asked in ((core, PROJECT["dependencies"]), (tools, extras["dev"] + extras["docs"])):
        for requirement in map(Requirement, asked):
            version = pinned.get(canonicalize_name(requirement.name))
            assert version, f"{requirement} is not pinned: run make lock"
            assert requirement.specifier.contains(version), (
                f"{requirement}: {version} is pinned, run make lock"
            )
    assert not {name for name in core.keys() & tools.keys() if core[name] != tools[name]}


def test_version_is_told_alike():
    assert f"\nversion: {zoo.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert zoo.__version__ in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_tables_are_generated():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for file in generate.BLOCKS:
        text = (ROOT / file).read_text("utf-8")
        assert generate.fill(file, text) == text, "run make docs"
    readme = (ROOT / "README.md").read_text("utf-8")
    assert generate.fill("README.md", readme.replace("`lstm`", "`x`")) == readme
    with pytest.raises(ValueError, match="numbers"):
        generate.fill("README.md", readme.replace("end: numbers", ""))


def test_readme_names_targets_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name
        for file in ("README.md", "CONTRIBUTING.md")
        for name in re.findall(r"\bmake ([a-z-]+)", (ROOT / file).read_text("utf-8"))
    }
    assert {"demo", "test", "lint", "docs"} <= named <= targets


def test_make_says_which_python_it_needs(tmp_path):
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["make", f"VENV={tmp_path / 'venv'}", f"PYTHON={old}", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_typing_marker_is_there():
    assert (files("zoo") / "py.typed").is_file()
