"""Two clouds of tests never meet, nor do those of two runs at once."""

import subprocess
import sys

from tests.networks import a_network


def test_each_cloud_has_a_network_of_its_own() -> None:
    assert len({a_network() for _ in range(16)}) == 16


def test_two_processes_share_none() -> None:
    ours = a_network()
    print_one = (sys.executable, "-c", "from tests.networks import a_network; print(a_network())")
    theirs = subprocess.run(print_one, capture_output=True, text=True, timeout=120, check=True).stdout

    assert ours.split(".")[1] != theirs.split(".")[1]
