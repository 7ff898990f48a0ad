"""What a process takes of the machine: its time on any core, and its memory."""

import subprocess
from pathlib import Path


def workers_of(master: int) -> tuple[int, ...]:
    """Name the processes that gunicorn's master has started."""
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = (map(int, line.split()) for line in said.stdout.splitlines())
    return tuple(pid for pid, parent in pairs if parent == master)


def cpu_seconds(process: int) -> float:
    """Tell how long a process has run on any core: to a hundredth, in user and system mode."""
    stat = Path(f"/proc/{process}/stat")
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100
    said = subprocess.run(
        ["ps", "-o", "time=", "-p", str(process)], capture_output=True, text=True, check=True
    )
    return sum(float(part) * 60.0**place for place, part in enumerate(reversed(said.stdout.split(":"))))


def resident_mb(process: int) -> float:
    """Tell how much memory a process has in use, what it shares with others included: megabytes."""
    said = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True
    )
    return int(said.stdout) * 1024 / 1e6


def pss_mb(process: int) -> float:
    """Tell the same with what is shared split evenly among those who share it; all of it off Linux."""
    rollup = Path(f"/proc/{process}/smaps_rollup")
    if not rollup.exists():
        return resident_mb(process)
    lines = rollup.read_text().splitlines()
    (kilobytes,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes * 1024 / 1e6
