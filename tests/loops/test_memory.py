"""Memory that is kept for the next step, and given back."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")

# in a process of its own, since `keep` is for good
KEPT = """
import resource
import numpy as np
from zoo.loops import memory

def resident():  # MiB
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 2**20

if {keep}:
    memory.keep()
before = resident()
blocks = [np.ones(2**17) for _ in range(200)]  # 1 MiB each
del blocks
after = resident()
memory.give_back()
print(after - before, resident() - before)
"""


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_kept_is_given_back(keep):
    code = KEPT.format(keep=keep)
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    after, at_last = map(int, run.stdout.split())
    assert (after > 150) == keep
    assert at_last < 50
