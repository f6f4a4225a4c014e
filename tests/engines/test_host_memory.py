"""Memory that tensors freed is used again, without new pages."""

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import resource
import torch
from common.engines.host_memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(4 << 20).sum()  # 16 MiB, 4,096 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
print(keep_freed_memory())
faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_freed_memory_is_used_again() -> None:
    """A process of its own, since the setting stays: 20 tensors of 4,096 pages take nearly no page fault."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", CHILD], cwd=root, capture_output=True, text=True, check=True)
    taken, faults = done.stdout.split()
    if taken == "False":
        pytest.skip("the C library is not glibc")
    assert int(faults) < 4096
