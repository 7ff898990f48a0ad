"""Where workers count together: who makes the folder, who empties it, and what becomes of who ends."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from app.domain.errors import SettingsInvalid
from app.telemetry import folder
from app.telemetry.folder import PREFIX, VARIABLE, Folder

NAME = "ec2_orchestrator_passes"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def count(path: Path, process: str, kind: str = "counter", number: float = 1.0) -> Path:
    """Leave the file of a process, as prometheus_client writes it."""
    file = path / f"{kind}_{process}.db"
    written = MmapedDict(str(file))  # type: ignore[no-untyped-call]
    key = mmap_key(NAME, f"{NAME}_total", ["pool"], ["default"], "Passes.")
    written.write_value(key, number, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    return file


def counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setenv(VARIABLE, str(path))
    (metric,) = folder.collected()
    (sample,) = metric.samples
    return sample.value


def test_a_fresh_folder_is_made_and_named() -> None:
    environment: dict[str, str] = {}

    made = Folder(environment)

    assert made.path.is_dir()
    assert environment == {VARIABLE: str(made.path)}


def test_nobody_else_can_look_into_it() -> None:
    assert Folder({}).path.stat().st_mode & 0o077 == 0


def test_what_was_left_by_one_that_was_killed_is_removed_and_nothing_that_is_used(tmp_path: Path) -> None:
    used, young, strange = Folder({}).path, tmp_path / f"{PREFIX}young", tmp_path / "strange"
    left, link = tmp_path / f"{PREFIX}left", tmp_path / f"{PREFIX}link"
    for one in (left, young, strange):
        one.mkdir()
    link.symlink_to(strange)
    for one in (left, used, strange):
        os.utime(one, (0, 0))

    Folder({})

    assert [one.exists() for one in (left, used, young, strange, link)] == [False, True, True, True, True]


def test_a_folder_that_is_named_is_taken_and_made(tmp_path: Path) -> None:
    named = tmp_path / "run" / "metrics"

    assert Folder({VARIABLE: str(named)}).path == named
    assert named.is_dir()


def test_it_is_emptied_when_the_service_starts_and_not_before(tmp_path: Path) -> None:
    left = count(tmp_path, "1")
    named = Folder({VARIABLE: str(tmp_path)})
    assert left.exists()

    named.begin()

    assert not left.exists()


def test_a_database_in_the_same_folder_is_neither_removed_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = tmp_path / "orchestrator.db"
    registry.write_bytes(b"SQLite format 3\0")
    named = Folder({VARIABLE: str(tmp_path)})

    named.begin()
    count(tmp_path, "1")

    assert registry.exists()
    assert counted(tmp_path, monkeypatch) == 1


def test_who_follows_a_gunicorn_that_still_serves_leaves_its_files_alone(tmp_path: Path) -> None:
    theirs = count(tmp_path, "1")

    Folder({VARIABLE: str(tmp_path), "GUNICORN_PID": "1"}).begin()

    assert theirs.exists()


def test_who_follows_one_that_made_its_folder_makes_another(tmp_path: Path) -> None:
    theirs = tmp_path / f"{PREFIX}theirs"
    environment = {VARIABLE: str(theirs), "GUNICORN_PID": "1"}

    assert Folder(environment).path != theirs
    assert environment[VARIABLE] != str(theirs)


def test_a_folder_that_cannot_be_made_is_told_with_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsInvalid, match=f"{VARIABLE}='.*file/metrics'"):
        Folder({VARIABLE: str(tmp_path / "file" / "metrics")})


def test_a_folder_that_was_cleared_away_is_there_again_before_a_worker_starts() -> None:
    made = Folder({})
    made.path.rmdir()

    made.before_fork()

    assert made.path.is_dir()


def test_what_one_counted_that_is_gone_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Folder({})
    count(made.path, "1", number=2)
    count(made.path, "2", number=3)
    count(made.path, "3", number=4)

    made.ended(1)
    made.ended(2)

    assert counted(made.path, monkeypatch) == 9


def test_a_thousand_that_are_gone_take_no_more_room_than_one() -> None:
    made = Folder({})
    for process in range(20):
        count(made.path, str(process))
        count(made.path, str(process), kind="histogram")
        made.ended(process)

    assert sorted(file.name for file in made.path.glob("*.db")) == ["counter_gone.db", "histogram_gone.db"]


def test_one_that_is_gone_does_not_lead() -> None:
    made = Folder({})
    gone, here = count(made.path, "1", kind="gauge_livemax"), count(made.path, "2", kind="gauge_livemax")

    made.ended(1)

    assert (gone.exists(), here.exists()) == (False, True)


def test_while_somebody_reads_nothing_is_moved_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Folder({})
    theirs = count(made.path, "1")

    with folder._locked(made.path, fcntl.LOCK_SH):
        made.ended(1)

    assert theirs.exists()
    assert counted(made.path, monkeypatch) == 1


def test_a_file_in_the_making_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Folder({})
    count(made.path, "1")
    (made.path / "counter_2.db").touch()

    assert counted(made.path, monkeypatch) == 1


def test_a_folder_that_is_gone_is_no_reason_for_the_master_to_end() -> None:
    made = Folder({})
    made.path.rmdir()

    made.ended(1)


def test_whether_our_counts_are_found_is_known_by_our_files(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Folder({})
    monkeypatch.setenv(VARIABLE, str(made.path))
    count(made.path, "1")
    assert not folder.ours_are_there()

    count(made.path, str(os.getpid()))

    assert folder.ours_are_there()


def test_a_folder_that_is_gone_is_made_anew_for_those_that_come(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Folder({})
    monkeypatch.setenv(VARIABLE, str(made.path))
    made.path.rmdir()

    assert not folder.ours_are_there()
    assert made.path.is_dir()


@pytest.mark.parametrize("variable", [VARIABLE, VARIABLE.lower()])
def test_who_counts_alone_leaves_the_folder_of_others_before_the_library_looks(
    tmp_path: Path, variable: str
) -> None:
    counting = (
        "from app.telemetry import folder; folder.leave()\n"
        "from app.telemetry.metrics import Metrics; Metrics(['default']).leads(True)"
    )
    subprocess.run(
        [sys.executable, "-c", counting],
        env={variable: str(tmp_path), "PYTHONPATH": str(Path(folder.__file__).parents[2])},
        check=True,
    )

    assert list(tmp_path.iterdir()) == []


REMOVED = """
import shutil, sys
from app.domain.model import DEFAULT_POOL
from app.telemetry import logs
from app.telemetry.exposition import Figures, written
from app.telemetry.metrics import Metrics

logs.configure("json")
metrics = Metrics([DEFAULT_POOL])
metrics.passed(DEFAULT_POOL, succeeded=True, took=1)
shutil.rmtree(sys.argv[1])
metrics.passed(DEFAULT_POOL, succeeded=True, took=1)
for _ in range(2):
    text = written(metrics, Figures(pools=(), term=7)).body.decode()
for line in text.splitlines():
    if line.endswith((" 2.0", " 7.0")) and "_bucket" not in line:
        print(line)
"""


def test_a_folder_that_is_removed_leaves_what_this_process_counted_and_is_told_once(tmp_path: Path) -> None:
    where = tmp_path / "metrics"
    where.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", REMOVED, str(where)],
        env={VARIABLE: str(where), "PYTHONPATH": str(Path(folder.__file__).parents[2])},
        check=True,
        capture_output=True,
        text=True,
    )

    told, *lines = done.stdout.splitlines()
    assert json.loads(told) | {"timestamp": ""} == {
        "event": "metrics.scattered",
        "level": "error",
        "folder": str(where),
        "timestamp": "",
    }
    assert lines == [
        'ec2_orchestrator_passes_total{outcome="finished",pool="default"} 2.0',
        'ec2_orchestrator_pass_seconds_count{pool="default"} 2.0',
        'ec2_orchestrator_pass_seconds_sum{pool="default"} 2.0',
        "ec2_orchestrator_leadership_term 7.0",
    ]
    assert where.is_dir()


def test_only_what_was_made_is_removed_and_only_by_the_master(tmp_path: Path) -> None:
    made, named = Folder({}), Folder({VARIABLE: str(tmp_path / "named")})
    child = Folder({})
    child._master = os.getpid() + 1

    for one in (made, named, child):
        one._remove()

    assert [one.path.exists() for one in (made, named, child)] == [False, True, True]
