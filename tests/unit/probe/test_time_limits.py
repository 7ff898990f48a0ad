"""However a server stalls, a probe is over in time.

The bounds are far from both sides: what they hold is 0.3 s, and without a limit it would be 30 s. A busy
machine makes whatever is right late now and then, and never each time: so it is tried several times.
"""

import socket
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

import pytest

from app.probe import HttpProber, TcpProber
from tests.builders import an_instance_id
from tests.unit.probe.servers import (
    Behaviour,
    Serve,
    Site,
    answering,
    dripping,
    flooding,
    hanging,
    redirecting,
    slowly,
)

Found = TypeVar("Found")


@pytest.fixture
def hasty() -> HttpProber:
    """As it looks once more before an instance is handed out."""
    return HttpProber("/healthz", timeout=0.3, deadline=0.3, page_timeout=0.3, page_deadline=0.3)


def in_time(look: Callable[[], Found], wanted: Callable[[Found], bool] = lambda _: True) -> Found:
    """Return what is found in time, and is as wanted."""
    for _ in range(10):
        began = monotonic()
        found = look()
        took = monotonic() - began
        if took < 2.0 and wanted(found):
            return found
        assert took < 20.0, "as long as without a limit"
    raise AssertionError("never in time")


@pytest.mark.parametrize(
    "stalling",
    [
        pytest.param(hanging, id="silence"),
        pytest.param(dripping(b""), id="bytes without a meaning"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX-Long: "), id="a header that drips"),
        pytest.param(flooding(b"HTTP/1.1 200 OK\r\n"), id="headers without end"),
    ],
)
def test_a_server_that_stalls_is_not_ready(hasty: HttpProber, serve: Serve, stalling: Behaviour) -> None:
    one, target = an_instance_id(), serve(stalling)
    assert in_time(lambda: hasty.probe({one: target})) == frozenset()
    assert in_time(lambda: hasty.opens({one: target})) == frozenset()


def test_a_connection_that_nobody_accepts_is_not_ready(hasty: HttpProber, serve: Serve) -> None:
    one, target = an_instance_id(), serve.deaf()
    assert in_time(lambda: hasty.probe({one: target})) == frozenset()


def test_a_connection_that_never_comes_about_is_not_ready(hasty: HttpProber, serve: Serve) -> None:
    one, target = an_instance_id(), serve.crowded()
    assert in_time(lambda: hasty.probe({one: target})) == frozenset()


def test_over_tcp_a_connection_that_never_comes_about_is_not_ready(serve: Serve) -> None:
    one, target = an_instance_id(), serve.crowded()
    assert in_time(lambda: TcpProber(timeout=0.3).probe({one: target})) == frozenset()


@pytest.mark.parametrize("body", [hanging, dripping(b""), flooding(b"")])
def test_a_body_is_not_waited_for(serve: Serve, body: Behaviour) -> None:
    def headers_and(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        body(connection)

    patient = HttpProber("/healthz", timeout=20, deadline=20, page_timeout=20, page_deadline=20)
    one, target = an_instance_id(), serve(headers_and)
    assert in_time(lambda: patient.probe({one: target})) == {one}
    assert in_time(lambda: patient.opens({one: target})) == {one}


def test_one_that_answers_is_found_among_many_that_stall(hasty: HttpProber, serve: Serve) -> None:
    stalling, good = serve(hanging), an_instance_id()
    targets = {**{an_instance_id(): stalling for _ in range(50)}, good: serve(answering("200 OK"))}
    in_time(lambda: hasty.probe(targets), wanted=lambda found: found == {good})


def test_each_gets_its_own_time_within_that_of_the_whole_call(serve: Serve) -> None:
    prober = HttpProber("/healthz", timeout=0.1, deadline=20, concurrency=1)
    good = an_instance_id()
    targets = {an_instance_id(): serve.deaf(), good: serve(answering("200 OK"))}
    in_time(lambda: prober.probe(targets), wanted=lambda found: found == {good})


def test_the_whole_call_ends_although_some_had_time_left(serve: Serve) -> None:
    prober = HttpProber("/healthz", timeout=20, deadline=0.3)
    good = an_instance_id()
    targets = {an_instance_id(): serve.deaf(), good: serve(answering("200 OK"))}
    in_time(lambda: prober.probe(targets), wanted=lambda found: found == {good})


def test_a_thousand_that_stall_cost_no_more_than_one(hasty: HttpProber, serve: Serve) -> None:
    target = serve(hanging)
    targets = {an_instance_id(): target for _ in range(1000)}
    assert in_time(lambda: hasty.probe(targets)) == frozenset()


def test_redirects_share_the_time_of_one_instance(serve: Serve) -> None:
    site = Site({"/": slowly(0.3, redirecting("/"))})
    one, target = an_instance_id(), serve(site)
    prober = HttpProber("/healthz", page_timeout=0.5)

    def asked() -> int:
        before = len(site.asked)
        assert prober.opens({one: target}) == frozenset()
        return len(site.asked) - before

    assert in_time(asked) <= 2
