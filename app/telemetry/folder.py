"""Where the workers of one gunicorn count, so that each of them can tell what all of them did.

prometheus_client keeps the counts of each process in files of one folder, mapped into memory: what a process
counted that is killed stays there. It looks for the folder in a variable, once, when it is imported; so the
folder comes first, and this module imports it late.
"""

import atexit
import fcntl
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from app.domain.errors import SettingsInvalid

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own: who sets it chooses the folder, and gives it to one gunicorn alone."""

PREFIX = "ec2-orchestrator-metrics-"
YOUNG = 60.0
"""Seconds for which a folder is left alone that nobody has locked: somebody may be about to."""

_RE_EXECUTED = "GUNICORN_PID"
"""Set by gunicorn where it was started by another one that still serves (USR2)."""
_KINDS = ("counter", "gauge", "histogram")
"""The first word in the name of each file, as prometheus_client gives them."""
_GONE = "gone"
"""Stands for the process in the name of a file that has the counts of those that are no more."""


class Folder:
    """The folder of one gunicorn: its master makes it, empties it at its start, and removes what it made."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take the folder that is named, or make one and name it. Raises SettingsInvalid."""
        named = environment.get(VARIABLE, "")
        # One of ours by its name, and not of this process: it is that of the gunicorn which this one follows.
        self._made = not named or Path(named).name.startswith(PREFIX)
        self._follows = _RE_EXECUTED in environment
        self._master = os.getpid()
        try:
            self.path = Path(mkdtemp(prefix=PREFIX) if self._made else named)
            self.path.mkdir(parents=True, exist_ok=True)
            self._kept = os.open(self.path, os.O_RDONLY)
            # systemd-tmpfiles, which clears /tmp of what is old, passes by what is locked.
            fcntl.flock(self._kept, fcntl.LOCK_SH)
            if self._made:
                _clear_up_beside(self.path)
        except OSError as error:
            raise SettingsInvalid(f"{VARIABLE}={named!r}: {error.strerror or error}") from None
        environment[VARIABLE] = str(self.path)
        atexit.register(self._remove)

    def begin(self) -> None:
        """Count from nothing. To be called by the master, when it starts."""
        self._master = os.getpid()  # another one than before, where it went into the background
        if not self._made and not self._follows:
            for left in _files(self.path):
                left.unlink(missing_ok=True)

    def before_fork(self) -> None:
        """Put the folder back where somebody cleared it away: no worker could start without it."""
        with suppress(OSError):
            self.path.mkdir(parents=True, exist_ok=True)

    def ended(self, process: int) -> None:
        """Keep what a worker counted that is gone, and forget what it said of itself: that it leads.

        Its counts are added to those of all that went before it, so that they take no more room and time,
        however many go. Where somebody reads just now, they stay where they are: nobody is waited for.
        """
        with suppress(OSError):
            for said in self.path.glob(f"gauge_*_{process}.db"):
                said.unlink(missing_ok=True)
            with _locked(self.path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for kind in ("counter", "histogram"):
                    _add_up(self.path / f"{kind}_{process}.db", self.path / f"{kind}_{_GONE}.db")

    def _remove(self) -> None:
        if self._made and os.getpid() == self._master:  # its workers end in the same way
            shutil.rmtree(self.path, ignore_errors=True)


@cache
def of_this_process() -> Folder:
    """Return the one folder of this master, also where it reads its configuration once more (HUP)."""
    return Folder(os.environ)  # noqa: TID251 - prometheus_client asks the environment


def leave() -> None:
    """Have this process count by itself. To be called before anything imports prometheus_client.

    Its counts would stand in what gunicorn tells and in what it tells itself, and gunicorn's next start would
    remove its files.
    """
    for name in (VARIABLE, VARIABLE.lower()):  # the library still takes its older name
        os.environ.pop(name, None)  # noqa: TID251 - prometheus_client asks the environment


def ours_are_there() -> bool:
    """Whether what this process counts is found by the others; makes the folder anew where it is gone.

    What was counted in a folder that somebody removed, nobody finds any more, and neither what is still
    counted there: only the processes that begin from now on count together again.
    """
    folder = Path(os.environ[VARIABLE])  # noqa: TID251 - as prometheus_client does
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return any(folder.glob(f"*_{os.getpid()}.db"))


def collected() -> "Iterable[Metric]":
    """Return what all processes counted together. Raises OSError where the folder is gone."""
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - see the module

    folder = Path(os.environ[VARIABLE])  # noqa: TID251 - as prometheus_client does
    with _locked(folder, fcntl.LOCK_SH):
        files = [str(file) for file in _files(folder) if _begun(file)]
        found: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return found


def _clear_up_beside(made: Path) -> None:
    """Remove the folders of those that were killed: nobody keeps them locked any more."""
    now = made.stat().st_mtime
    for left in made.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else's, or used
            if left.is_symlink() or now - left.stat().st_mtime < YOUNG:
                continue
            found = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(found)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Have nobody add up counts while somebody reads: they would be read twice, or not at all."""
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, how)
        yield


def _files(folder: Path) -> Iterator[Path]:
    """Find the files of counts, and no other databases: somebody may keep theirs, or ours, beside them."""
    for kind in _KINDS:
        yield from folder.glob(f"{kind}_*.db")


def _begun(file: Path) -> bool:
    """Whether there is anything in it: a file that is being made is empty for a moment."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # its process is gone
        return False


def _add_up(counted: Path, gone: Path) -> None:
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415 - see the module

    if not _begun(counted):
        return
    total = defaultdict[str, float](float)
    for file in (counted, gone):
        if _begun(file):
            for key, value, *_ in MmapedDict.read_all_values_from_file(file):  # type: ignore[no-untyped-call]
                total[key] += value
    new = gone.with_suffix(".new")
    new.unlink(missing_ok=True)
    written = MmapedDict(str(new))  # type: ignore[no-untyped-call]
    for key, value in total.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    new.replace(gone)
    counted.unlink()
