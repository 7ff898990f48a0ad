"""The service of a soak: killed, started again, robbed of its database, and listened to."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Self

from sqlalchemy import NullPool, create_engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.registry.schema import events
from tests.e2e.processes import Program, Service
from tests.e2e.soak.cloud import Note
from tests.e2e.soak.facts import Killed, LogLine, Serving, Trail, now


class Victim:
    """One installation of the real service, under gunicorn."""

    def __init__(self, database_url: str, settings: dict[str, str], note: Note) -> None:
        self._url = database_url
        self._note = note
        self._service = Service(Path("unused"), {**settings, "ORCHESTRATOR_DATABASE_URL": database_url})
        self._engine = create_engine(database_url, poolclass=NullPool)
        self._reading = Lock()
        self._newest = 0
        self._heard: dict[int, int] = {}
        self.kills = 0
        self.passes = 0
        self.warnings: dict[str, int] = {}
        """How often each line above `info` was logged."""

    def __enter__(self) -> Self:
        self._service.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._service.__exit__()
        self._engine.dispose()

    @property
    def url(self) -> str:
        return self._service.url

    def start(self) -> None:
        self._service.start()

    def kill(self) -> None:
        """End every process of it at once. What it had said and written is read."""
        self._note(Killed(at=now()))
        self._service.kill9()
        self.kills += 1
        self.listen(last=True)

    def kill_worker(self) -> None:
        """End the process that serves and runs passes, and leave it to gunicorn to start another."""
        self._note(Killed(at=now()))
        master = self._program._process.pid
        for child in Path(f"/proc/{master}/task/{master}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        self.kills += 1
        self._service.await_answer()
        self._note(Serving(at=now()))

    def stumble(self, seconds: float) -> None:
        """Start it, and kill it again so soon that it may not have got to its first answer."""
        self._service.launch()
        time.sleep(seconds)  # noqa: TID251 - any moment of a start will do
        self.kill()

    def revive(self) -> None:
        """Start it again on the same database."""
        self.start()
        self._note(Serving(at=now()))

    def lose_database(self) -> None:
        """Remove all that it knows; to be called between `kill` and `revive`."""
        with self._reading:
            self._newest = 0
            if self._engine.dialect.name == "sqlite":
                file = Path(self._engine.url.database or "")
                for path in file.parent.glob(f"{file.name}*"):
                    path.unlink()
                return
            with self._engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))

    def listen(self, *, last: bool = False) -> None:
        """Read what is new in the log and in the audit trail; `last`: of a process that is gone."""
        self._read_log(last=last)
        self._read_trail()

    def _read_trail(self) -> None:
        newer = select(events).where(events.c.id > self._newest).order_by(events.c.id)
        with self._reading:
            try:
                with self._engine.connect() as connection:
                    rows = connection.execute(newer).all()
            except SQLAlchemyError:
                return  # being made just now, or busy: next time
            for row in rows:
                self._newest = row.id
                self._note(
                    Trail(
                        number=row.id,
                        at=row.at.timestamp(),
                        kind=row.kind,
                        actor=row.actor,
                        instance=row.instance_id,
                        project=row.project,
                        reason=row.reason,
                    )
                )

    def _read_log(self, *, last: bool) -> None:
        program = self._program
        start = self._heard.get(id(program), 0)
        lines = program.output[start:]
        self._heard[id(program)] = start + len(lines)
        for number, line in enumerate(lines, 1):
            try:
                self._judge(json.loads(line))
            except json.JSONDecodeError:
                if not (last and number == len(lines)):  # the last words of one that was killed
                    self._note(LogLine(at=now(), event="no-json", text=line))
        for line in program.errors:
            self._note(LogLine(at=now(), event="stderr", text=line))
        program.errors.clear()

    def _judge(self, line: dict[str, Any]) -> None:
        event, level = str(line.get("event")), line.get("level")
        self.passes += event == "pass.finished"
        if level in {"warning", "error", "critical"}:
            name = f"{event} {line['code']}" if "code" in line else event[:60]
            self.warnings[name] = self.warnings.get(name, 0) + 1
        if event.endswith(".crashed") or "exception" in line or level == "critical":
            self._note(LogLine(at=now(), event=event, text=str(line.get("exception", line))))

    @property
    def _program(self) -> Program:
        return self._service.program
