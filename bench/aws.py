"""AWS for the benchmark: a process of its own that knows every instance of a registry, and answers as slowly
as it is told.

    python -m bench.aws DATABASE --port 9393 --answers FILE

Beside AWS's calls it takes `GET /calls`, each `[action, when it arrived, desired capacity]` with the time of
the machine's steady clock, `DELETE /calls`, and `PUT /delay` with the seconds that each answer takes.
"""

import argparse
import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl

from sqlalchemy import and_, select

from app.aws.translate import ALLOCATED_AT_TAG, PROJECT_TAG
from app.domain.model import InstanceState
from app.registry.database import open_database
from app.registry.schema import allocations, instances
from app.simulator.config import CloudConfig
from bench.population import ROOM
from bench.replay import Answers, Member, Refused, Replay
from bench.servers import process
from tests.ports import a_port
from tests.waiting import until

START_WITHIN = 60.0
HOST = "127.0.0.1"
UNKNOWN = (
    "<Response><Errors><Error><Code>InvalidAction</Code><Message>%s</Message></Error></Errors></Response>"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of AWS: when it arrived by time.monotonic(), and the desired capacity that it writes, if any."""

    action: str
    at: float
    desired: int | None


class Aws:
    """A running one, and what it saw."""

    def __init__(self, port: int) -> None:
        self._port = port

    @classmethod
    def of(cls, endpoint: str) -> Self:
        """Return the one that a service calls there."""
        return cls(int(endpoint.rpartition(":")[2]))

    @property
    def settings(self) -> dict[str, str]:
        """What a service needs to call it, and nobody else."""
        return {
            "AWS_ACCESS_KEY": "simulated",
            "AWS_SECRET_KEY": "simulated",
            "AWS_REGION": CloudConfig().region,
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self._port}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "ORCHESTRATOR_READINESS": "off",  # its instances are on paper
        }

    def calls(self) -> list[Call]:
        """All calls since they were forgotten, in the order of their arrival."""
        return [Call(*call) for call in json.loads(self._ask("GET", "/calls"))]

    def forget(self) -> None:
        """Forget the calls so far."""
        self._ask("DELETE", "/calls")

    def take(self, seconds: float) -> None:
        """Take so long for each answer from now on."""
        self._ask("PUT", "/delay", json.dumps(seconds))

    @property
    def answers(self) -> bool:
        """Whether it has started."""
        try:
            return bool(self._ask("GET", "/calls"))
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=START_WITHIN)
        try:
            connection.request(method, path, body)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def aws(home: Path, database: str) -> Iterator[Aws]:
    """Run one for the instances that a registry has by now."""
    kept = home / "answers.json"
    Answers.kept(kept)
    environment = dict(os.environ)  # noqa: TID251 - a child process needs PATH and the like
    with a_port() as port:
        command = (sys.executable, "-m", "bench.aws", database, "--port", str(port), "--answers", str(kept))
        with process(command, env=environment, stdout=sys.stderr.fileno()) as running:
            it = Aws(port)
            until(lambda: it.answers or running.poll() is not None, within=START_WITHIN, what="AWS to answer")
            if running.poll() is not None:
                raise RuntimeError("the AWS of the benchmark did not start")
            yield it


class Server(ThreadingHTTPServer):
    """Answers with one replay, one call at a time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, replay: Replay) -> None:
        super().__init__((HOST, port), Handler)
        self.replay = replay
        self.lock = Lock()
        self.calls: list[tuple[str, float, int | None]] = []
        self.delay = 0.0
        self.never = Event()


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive, as AWS does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server
    wbufsize: ClassVar[int] = -1  # an answer leaves in one piece

    def do_POST(self) -> None:
        """Answer a call."""
        at = time.monotonic()
        params = dict(parse_qsl(self._body().decode(), keep_blank_values=True))
        action = params.get("Action", "")
        desired = int(params["DesiredCapacity"]) if "DesiredCapacity" in params else None
        self.server.calls.append((action, at, desired))
        if self.server.delay:
            self.server.never.wait(self.server.delay)
        try:
            with self.server.lock:
                text = self.server.replay.answer(action, params)
        except Refused as refused:
            self._answer(UNKNOWN % refused, "text/xml", 400)
        else:
            self._answer(text, "text/xml")

    def do_GET(self) -> None:
        """Tell the calls."""
        self._answer(json.dumps(self.server.calls), "application/json")

    def do_DELETE(self) -> None:
        """Forget them."""
        self.server.calls = []
        self._answer("{}", "application/json")

    def do_PUT(self) -> None:
        """Be slower, or faster."""
        self.server.delay = float(json.loads(self._body()))
        self._answer("{}", "application/json")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _answer(self, text: str, kind: str, status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def members(database: str) -> list[Member]:
    """Return the instances of a registry at rest: what is not gone runs, and is tagged as it says."""
    live = and_(allocations.c.instance_id == instances.c.id, allocations.c.ended_at.is_(None))
    everybody = (
        select(instances, allocations.c.project, allocations.c.allocated_at, allocations.c.tagged)
        .select_from(instances.outerjoin(allocations, live))
        .where(instances.c.state != InstanceState.TERMINATED.value)
        .order_by(instances.c.id)
    )
    engine = open_database(database)
    with engine.connect() as tx:
        found = [_member(row) for row in tx.execute(everybody)]
    engine.dispose()
    return found


def _member(row: Any) -> Member:
    tags = {}
    if row.tagged:
        at = row.allocated_at.isoformat(timespec="milliseconds")
        tags = {PROJECT_TAG: row.project, ALLOCATED_AT_TAG: at}
    return Member(row.id, row.address, row.zone, row.launched_at, tags)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.aws", description=__doc__)
    parser.add_argument("database")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    options = parser.parse_args()
    over = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    replay = Replay(Answers.kept(options.answers), members(options.database), room=ROOM)
    with Server(options.port, replay) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        over.wait()
        server.shutdown()


if __name__ == "__main__":
    main()
