"""Ready is who answers as they should, whoever else does not."""

import threading

import pytest

from app.ports import Prober
from app.probe import HttpProber, NoProber, TcpProber
from tests.builders import an_instance_id
from tests.unit.probe.servers import AMPLE, Serve, Target, answering, hanging, raw, resetting
from tests.waiting import until


@pytest.fixture
def prober() -> HttpProber:
    return HttpProber("/healthz", timeout=AMPLE, deadline=AMPLE)


def ready(prober: Prober, target: Target) -> bool:
    one = an_instance_id()
    return prober.probe({one: target}) == {one}


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "299 Odd", "200"])
def test_any_2xx_is_ready(prober: HttpProber, serve: Serve, status: str) -> None:
    assert ready(prober, serve(answering(status)))


@pytest.mark.parametrize("status", ["302 Found", "401 Unauthorized", "404 Not Found", "500 Oops", "2000 Odd"])
def test_any_other_status_is_not_ready(prober: HttpProber, serve: Serve, status: str) -> None:
    assert not ready(prober, serve(answering(status)))


def test_a_redirect_is_not_followed(prober: HttpProber, serve: Serve) -> None:
    address, port = serve(answering("200 OK"))
    assert not ready(prober, serve(answering("302 Found", f"Location: http://{address}:{port}/")))


@pytest.mark.parametrize("answer", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\nX: y\n\n"])
def test_an_old_or_plain_server_is_ready(prober: HttpProber, serve: Serve, answer: bytes) -> None:
    assert ready(prober, serve(raw(answer)))


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Cut: o"])
def test_an_answer_that_is_not_http_or_not_whole_is_not_ready(
    prober: HttpProber, serve: Serve, answer: bytes
) -> None:
    assert not ready(prober, serve(raw(answer)))


def test_a_refused_connection_is_not_ready(prober: HttpProber, serve: Serve) -> None:
    assert not ready(prober, serve.nobody())


def test_a_reset_connection_is_not_ready(prober: HttpProber, serve: Serve) -> None:
    assert not ready(prober, serve(resetting))


def test_a_name_is_not_looked_up_and_not_ready(prober: HttpProber, serve: Serve) -> None:
    _, port = serve(answering("200 OK"))
    assert not ready(prober, ("localhost", port))


def test_a_port_that_is_none_is_not_ready(prober: HttpProber) -> None:
    assert not ready(prober, ("127.0.0.1", 70_000))


def test_the_request_asks_for_the_path_alone_and_to_close_the_connection(
    prober: HttpProber, serve: Serve
) -> None:
    requests: list[str] = []
    target = serve(lambda connection: requests.append(connection.recv(65536).decode()))
    ready(prober, target)
    line, *headers = requests[0].split("\r\n")
    assert line == "GET /healthz HTTP/1.1"
    assert {"Connection: close", f"Host: {target[0]}:{target[1]}"} <= set(headers)


def test_only_those_that_are_ready_are_returned(prober: HttpProber, serve: Serve) -> None:
    good, bad = an_instance_id(), an_instance_id()
    targets = {good: serve(answering("200 OK")), bad: serve(answering("500 Oops"))}
    assert prober.probe(targets) == {good}


def test_no_targets_make_an_empty_answer(prober: HttpProber) -> None:
    assert prober.probe({}) == frozenset()


def test_a_thousand_ready_instances_are_all_found(prober: HttpProber, serve: Serve) -> None:
    target = serve(answering("200 OK"))
    targets = {an_instance_id(): target for _ in range(1000)}
    assert prober.probe(targets) == targets.keys()


def test_who_was_not_reached_in_time_comes_first_in_the_next_call(serve: Serve) -> None:
    prober = HttpProber("/healthz", timeout=0.1, concurrency=1, deadline=0.1)
    stuck = serve(hanging)
    targets = {**{an_instance_id(): stuck for _ in range(5)}, an_instance_id(): serve(answering("200 OK"))}
    until(lambda: prober.probe(targets), what="the last one to be reached")


def test_who_was_not_reached_and_is_gone_by_now_is_not_asked_again(serve: Serve) -> None:
    gone, target = [serve.deaf() for _ in range(3)], serve(answering("200 OK"))

    def is_asked_first() -> bool:
        prober = HttpProber("/healthz", timeout=0.1, concurrency=1, deadline=0.1)
        prober.probe({an_instance_id(): one for one in gone})
        return ready(prober, target)

    until(is_asked_first)  # if not at once, for the machine may be busy


def test_threads_can_probe_at_the_same_time(prober: HttpProber, serve: Serve) -> None:
    targets = {an_instance_id(): serve(answering("200 OK")) for _ in range(3)}
    together, found = threading.Barrier(8), []

    def probe() -> None:
        together.wait()
        found.append(prober.probe(targets))

    threads = [threading.Thread(target=probe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [targets.keys()] * 8


@pytest.mark.parametrize("prober", [HttpProber("/"), TcpProber()])
def test_no_thread_is_left_that_a_fork_could_lose(prober: Prober, serve: Serve) -> None:
    before = set(threading.enumerate())
    ready(prober, serve.nobody())
    assert set(threading.enumerate()) <= before


def test_over_tcp_an_accepted_connection_is_enough(serve: Serve) -> None:
    assert ready(TcpProber(timeout=AMPLE, deadline=AMPLE), serve(hanging))


def test_over_tcp_a_refused_connection_is_not_ready(serve: Serve) -> None:
    assert not ready(TcpProber(), serve.nobody())


def test_without_probing_everything_is_ready() -> None:
    assert ready(NoProber(), ("192.0.2.1", 1))
