"""How Sphinx builds these pages: strictly, and without network."""

import os
import re
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generate

import zoo

project = "lstm-zoo"
author = "The lstm-zoo contributors"
copyright = author  # noqa: A001 (Sphinx's name)
release = version = zoo.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"lstm-zoo {release}"
myst_heading_anchors = 3
default_role = "code"  # docstrings write `names` as Markdown does
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signature in the source and the Args section say it already
napoleon_numpy_docstring = False
nitpicky = True
# Names of others have no inventory here, since the pages are built without network; ours must exist.
nitpick_ignore_regex = [("py:.*", r"(?!(zoo|applications)\b).*"), ("py:.*", r".*\._\w+")]
# A README is included in a page of another folder: its links to files of the checkout lead nowhere there.
suppress_warnings = ["myst.xref_missing"]

SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields|Example|Examples|Note|Notes|References):$")
NAME = re.compile(r"(?<![`:\w])`([^`]+)`(?![`_])")
EQUATION = re.compile(r"\S+( \S+)?\s+= ")


def literal_blocks(app, what, name, obj, options, lines):
    """Show equations, tables and examples of a docstring as they stand: they are blocks, not prose.

    An equation is a paragraph that begins `name =`; a table is one that begins with a bar; an example is an
    indented block outside a Google section, or a fenced one.
    """
    out, section, block = [], False, None
    for index, line in enumerate(lines):
        fresh = not line.strip() or index == 0 or not lines[index - 1].strip()
        if line.strip() and not line.startswith(" "):
            section = bool(SECTION.match(line))
        if line.strip().startswith("```"):
            out += ["", ".. code-block:: " + (line.strip()[3:] or "text"), ""] if block != "fence" else [""]
            block = None if block == "fence" else "fence"
            continue
        if fresh and block != "fence":
            indented = line.startswith("    ") and not section
            verbatim = line.startswith("|") or EQUATION.match(line)
            new = line.strip() and ("indent" if indented else "verbatim" if verbatim else None)
            if new and new != block:
                out += ["::", ""]
            block = new if line.strip() else block
        if block in ("fence", "verbatim"):
            out.append(f"    {line}" if line else line)
        else:  # two backticks: napoleon splits `CORPUS:PATH` in one pair at its colon
            out.append(line if block else NAME.sub(r"``\1``", line))
    lines[:] = out


def setup(app):
    """Write the generated pages, then let Sphinx read them."""
    generate.pages(HERE / "_generated")
    app.connect("autodoc-process-docstring", literal_blocks, priority=400)
