"""The backend: started without notes on standard error, named with its versions."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import zoo
from applications.core import backend

CODE = """
import json, os, sys
from applications.core import backend
with backend.starting("tensorflow"):
    pass
os.write(2, b"a real message\\n")
print(json.dumps(backend.versions()))
"""


def test_start_is_quiet_and_versions_are_flat():
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    root = Path(__file__).resolve().parents[3]
    run = subprocess.run([sys.executable, "-c", CODE], cwd=root, env=env, capture_output=True, text=True)
    assert run.stderr == "a real message\n"
    name = os.environ["KERAS_BACKEND"]
    said = json.loads(run.stdout)
    assert said["backend"] == name
    assert said["backend_version"].partition("+")[0] == version(name).partition("+")[0]
    assert said["keras_version"] == version("keras")
    assert said["zoo_version"] == zoo.__version__
    assert said["python_version"] == ".".join(map(str, sys.version_info[:3]))


def test_a_second_start_is_quiet_too(monkeypatch, capfd):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    for _ in range(2):
        with backend.starting():
            os.write(2, b"I0000 00:00:1 1 port.cc:153] a note\n")
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with backend.starting():
        os.write(2, b"I0000 a note that was asked for\n")
    assert capfd.readouterr().err == "I0000 a note that was asked for\n"


def test_what_is_no_note_is_passed_on(monkeypatch, capfd):
    def start():
        with backend.starting():
            os.write(
                2, b"I0000 00:00:1 1 port.cc:153] a note\nE0000 00:00:1 1 port.cc:9] an error\nlast words"
            )
            raise RuntimeError("no")

    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with pytest.raises(RuntimeError, match="no"):
        start()
    assert capfd.readouterr().err == "E0000 00:00:1 1 port.cc:9] an error\nlast words"
