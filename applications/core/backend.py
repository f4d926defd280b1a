"""The backend that Keras runs on: its name checked, started without its start-up notes, and its versions."""

import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.util import find_spec

import zoo
from zoo.errors import UserError, unknown

NAMES = ("tensorflow", "jax", "torch")
_QUIET = "3"  # level of TensorFlow's C++ log

# What TensorFlow 2.21 writes about itself while it is imported, whatever its log level is.
_NOTE = re.compile(rb"WARNING: All log messages before absl::InitializeLog|I0000 ")


def check() -> None:
    """Check the environment variable `KERAS_BACKEND`, which is quick; unset, Keras's own setting holds.

    Raises:
        UserError: it names no backend of ours, or one that is not installed.
    """
    name = os.environ.get("KERAS_BACKEND")
    if not name:
        return
    if name not in NAMES:
        raise UserError(f"KERAS_BACKEND: {unknown('backend', name, NAMES)}")
    if find_spec(name) is None:
        raise UserError(f"KERAS_BACKEND: {name} is not installed: run `pip install 'lstm-zoo[{name}]'`")


@contextmanager
def starting(*modules: str) -> Iterator[None]:
    """Import Keras and more modules, and hold back start-up notes on standard error until the block ends.

    Keras imports TensorFlow on every backend, at the latest when it builds a layer that it serialises: do
    that in the block. TensorFlow's C++ log is turned off, unless the environment sets
    `TF_CPP_MIN_LOG_LEVEL` to another level: then nothing is held back.

    Raises:
        UserError: as `check` does.
    """
    check()
    quiet = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _QUIET) == _QUIET
    notes = _without_notes() if quiet else nullcontext()
    with notes:
        for module in ("keras", *modules):
            import_module(module)
        yield


def versions() -> dict[str, str]:
    """Return the versions that a measured number depends on, flat; Keras has been started."""
    keras = import_module("keras")
    name = keras.backend.backend()
    return {
        "zoo_version": zoo.__version__,
        "keras_version": keras.__version__,
        "backend": name,
        "backend_version": import_module(name).__version__,
        "python_version": platform.python_version(),
    }


@contextmanager
def _without_notes() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, then pass on all of it but start-up notes."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        real = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not _NOTE.match(line):
                    os.write(2, line)
