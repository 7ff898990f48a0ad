"""The metrics of a process that serves nothing else: there for who asks, and no burden by who does not."""

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from app.domain.model import DEFAULT_POOL
from app.telemetry import server
from app.telemetry.metrics import Metrics
from tests.own_output import Output, as_before
from tests.ports import a_port
from tests.waiting import until

HOST = "127.0.0.1"


def threads() -> int:
    return len([one for one in threading.enumerate() if one.name == "metrics-answer"])


def scraped(port: int, host: str = HOST) -> str:
    answer = httpx.get(f"http://{host}:{port}/metrics", timeout=30, trust_env=False)
    assert answer.status_code == 200
    return answer.text


def scraped_in_the_end(port: int) -> str:
    """Ask until there is an answer: a busy machine is late, and who is late is sent away."""

    def scrape() -> str | None:
        try:
            return scraped(port)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            return None

    answer = until(scrape, what="an answer")
    assert answer is not None
    return answer


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, *, patience: float) -> Iterator[tuple[int, Callable[[], None]]]:
    """Serve with this patience at a port; yield that, and what ends it."""
    monkeypatch.setattr(server, "PATIENCE", patience)
    monkeypatch.setattr(server._Handler, "timeout", None)  # another limit, on each read: it helps nobody here
    with a_port() as port:
        end = server.serve(f"{HOST}:{port}", Metrics([DEFAULT_POOL], version="1.2.3"))
        try:
            yield port, end
        finally:
            end()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that waits for nobody for long."""
    with serving(monkeypatch, patience=0.5) as (port, _):
        yield port


def test_what_was_counted_is_there_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, patience=60) as (port, _):
        assert 'ec2_orchestrator_build_info{version="1.2.3"} 1' in scraped(port)


def test_it_is_there_by_the_newer_protocol_as_well() -> None:
    with a_port("::1") as port:
        end = server.serve(f"[::1]:{port}", Metrics())

        assert "ec2_orchestrator_build_info" in scraped(port, "[::1]")
        end()


def test_many_who_are_silent_take_a_few_threads_and_are_sent_away(impatient: int) -> None:
    with ExitStack() as silent:
        for _ in range(server.AT_ONCE + server.IN_LINE // 2):
            silent.enter_context(socket.create_connection((HOST, impatient), timeout=60))
        until(lambda: threads() == server.AT_ONCE, what="the first of them to have threads")

        assert "ec2_orchestrator_build_info" in scraped_in_the_end(impatient)
        assert threads() <= server.AT_ONCE
    until(lambda: threads() == 0, what="them to be sent away")


def test_the_silent_give_way_while_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CROWDED", 0.1)
    with serving(monkeypatch, patience=3600) as (port, _), ExitStack() as silent:
        for _ in range(server.AT_ONCE):
            silent.enter_context(socket.create_connection((HOST, port), timeout=60))
        until(lambda: threads() == server.AT_ONCE, what="all threads to be taken")

        assert "ec2_orchestrator_build_info" in scraped(port)


def test_who_sends_a_little_now_and_then_is_sent_away_as_well(impatient: int) -> None:
    with socket.create_connection((HOST, impatient), timeout=60) as slow:
        gone = threading.Event()

        def trickle() -> None:
            while not gone.wait(0.05):
                try:
                    slow.sendall(b"G")
                except OSError:
                    return

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            assert slow.recv(1) == b""
        except ConnectionResetError:
            pass
        finally:
            gone.set()
            sender.join()


def test_its_end_waits_for_nobody_who_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, patience=3600) as (port, end), ExitStack() as silent:
        for _ in range(server.AT_ONCE + 2):
            silent.enter_context(socket.create_connection((HOST, port), timeout=60))
        until(lambda: threads() == server.AT_ONCE, what="the first of them to have threads")

        end()

        until(lambda: threads() == 0, what="all of them to end")


@pytest.mark.parametrize("bind", ["192.0.2.1:9100", "no-such-host.invalid:9100"])
def test_where_it_cannot_be_it_says_so_and_nobody_stops_for_that(bind: str) -> None:
    with as_before():
        output = Output("json", io.StringIO())
        end = server.serve(bind, Metrics())
        end()

    assert (output.only["event"], output.only["level"]) == ("metrics.unserved", "warning")
    assert output.only["bind"] == bind
    assert output.only["detail"]


def test_a_port_in_use_is_told_in_the_same_way() -> None:
    with as_before(), socket.create_server((HOST, 0)) as theirs:
        output = Output("json", io.StringIO())
        server.serve(f"{HOST}:{theirs.getsockname()[1]}", Metrics())()

    assert (output.only["event"], output.only["detail"]) == ("metrics.unserved", "Address already in use")
