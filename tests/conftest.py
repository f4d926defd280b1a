"""What holds for every test: the backend, no accelerator, no network, quiet logs; which tests run here."""

import gc
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["TFDS_DISABLE_GCS"] = "1"

import pytest

MAPS = 20_000  # of memory, from which on compiled programs are let go
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; where there is none, its tests are left out."""
    return SHARED


@pytest.fixture(autouse=True)
def no_programs_kept():
    """Let go of what JAX compiled once it is much: a program takes maps of memory, of which Linux gives 65,530."""
    yield
    maps = Path("/proc/self/maps")
    if os.environ["KERAS_BACKEND"] == "jax" and maps.exists() and maps.read_bytes().count(b"\n") > MAPS:
        import jax

        jax.clear_caches()
        gc.collect()


def pytest_report_header() -> str:
    """Say which backend is tested, and whether the real data is there."""
    return f"backend: {os.environ['KERAS_BACKEND']}; real data: {'found' if SHARED.is_dir() else 'none'}"


def pytest_make_parametrize_id(val, argname) -> str | None:
    """Name bytes by their argument: processes must agree on the names of tests, and gzip packs the time in."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(config, items):
    """Leave out the tests of other backends, and those of real data where there is none."""
    left_out = [item for item in items if not _runs_here(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _runs_here(item) -> bool:
    marker = item.get_closest_marker("backend")
    if marker and os.environ["KERAS_BACKEND"] not in marker.args:
        return False
    return SHARED.is_dir() or "shared_data" not in getattr(item, "fixturenames", ())
