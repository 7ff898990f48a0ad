"""That large pieces of memory go back to the system: in a process of its own, because it is for good."""

import subprocess
import sys
from pathlib import Path

import pytest

PIECES = """
from pathlib import Path
from app.bootstrap import give_back_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

give_back_memory()
b"x" * 8_000_000  # glibc would keep pieces up to this size from here on
before = resident()
pieces = [b"x" * 1_000_000 for _ in range(20)]
last = b"x" * 100_000
pieces.clear()
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells nothing of memory elsewhere")
def test_what_was_freed_is_not_kept() -> None:
    said = subprocess.run([sys.executable, "-c", PIECES], capture_output=True, text=True, check=True)
    assert int(said.stdout) < 5_000_000  # of twenty: where there are many cores, the kernel counts roughly
