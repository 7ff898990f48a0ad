"""The front page opens: a 2xx in the end, from the instance itself."""

import socket
from itertools import pairwise

import pytest

from app.probe import HttpProber, NoProber, TcpProber
from tests.builders import an_instance_id
from tests.unit.probe.servers import AMPLE, Behaviour, Serve, Site, Target, answering, redirecting

OK = answering("200 OK")


def a_prober() -> HttpProber:
    return HttpProber("/healthz", timeout=AMPLE, deadline=AMPLE, page_timeout=AMPLE, page_deadline=AMPLE)


def opens(target: Target) -> bool:
    one = an_instance_id()
    return a_prober().opens({one: target}) == {one}


def test_a_page_opens_with_any_2xx(serve: Serve) -> None:
    assert opens(serve(Site({"/": answering("204 No Content")})))


def test_a_dead_page_does_not_open_although_its_health_is_green(serve: Serve) -> None:
    target = serve(Site({"/": answering("500 Oops"), "/healthz": OK}))
    one = an_instance_id()
    assert a_prober().probe({one: target}) == {one}
    assert not opens(target)


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_a_redirect_as_code_server_sends_it_is_followed(serve: Serve, status: str) -> None:
    folder = "/?folder=/workspace"
    site = Site({"/": answering(f"{status} X", "Location: ./?folder=/workspace"), folder: OK})
    assert opens(serve(site))
    assert site.asked == ["/", folder]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/login", "/login"),
        ("login?to=%2Fa%20b", "/login?to=%2Fa%20b"),
        ("?x=1#part", "/?x=1"),
        ("/a/../b", "/b"),
        ("/a b/ü", "/a%20b/%C3%BC"),
    ],
)
def test_a_location_is_resolved_and_escaped_as_browsers_do(serve: Serve, location: str, target: str) -> None:
    site = Site({"/": redirecting(location), target: OK})
    assert opens(serve(site))
    assert site.asked == ["/", target]


def test_a_location_on_the_same_address_and_port_may_be_absolute(serve: Serve) -> None:
    pages: dict[str, Behaviour] = {"/home": OK}
    address, port = serve(Site(pages))
    pages["/"] = redirecting(f"http://{address}:{port}/home")
    assert opens((address, port))


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://127.0.0.2:{port}/",
        "http://localhost:{port}/",
        "http://127.0.0.1:{other}/",
        "//127.0.0.1:{other}/",
        "http://127.0.0.1/",
        "https://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}@127.0.0.1:{other}/",
        "file:///etc/passwd",
        "http://127.0.0.1:x/",
        "http://[/",
    ],
)
def test_a_redirect_that_leaves_the_instance_is_no_success_and_not_followed(
    serve: Serve, elsewhere: str
) -> None:
    pages: dict[str, Behaviour] = {}
    here, there = Site(pages), Site({"/": OK})
    target, (_, other) = serve(here), serve(there)
    pages["/"] = redirecting(elsewhere.format(port=target[1], other=other))
    assert not opens(target)
    assert (here.asked, there.asked) == (["/"], [])


@pytest.mark.parametrize(("redirects", "opened"), [(5, True), (6, False)])
def test_five_redirects_are_followed_and_no_sixth(serve: Serve, redirects: int, opened: bool) -> None:
    steps = ["/", *(f"/{step}" for step in range(redirects))]
    pages = {step: redirecting(following) for step, following in pairwise(steps)}
    site = Site({**pages, steps[-1]: OK})
    assert opens(serve(site)) is opened
    assert len(site.asked) == 6


def test_a_redirect_to_nowhere_is_no_success(serve: Serve) -> None:
    assert not opens(serve(answering("302 Found")))


def test_a_location_cannot_smuggle_a_line_into_the_request(serve: Serve) -> None:
    requests: list[bytes] = []

    def remembering(connection: socket.socket) -> None:
        requests.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /x\rX-Evil: y\r\n\r\n")

    opens(serve(remembering))
    assert not any(b"\rX-Evil" in request for request in requests)


def test_redirects_in_a_circle_are_no_success(serve: Serve) -> None:
    assert not opens(serve(redirecting("/")))


def test_where_nothing_listens_no_page_opens(serve: Serve) -> None:
    assert not opens(serve.nobody())


def test_only_those_that_open_are_returned(serve: Serve) -> None:
    good, bad = an_instance_id(), an_instance_id()
    targets = {good: serve(OK), bad: serve(answering("500 Oops"))}
    assert a_prober().opens(targets) == {good}


@pytest.mark.parametrize("prober", [TcpProber(), NoProber()])
def test_who_is_not_asked_over_http_opens(prober: TcpProber | NoProber) -> None:
    one = an_instance_id()
    assert prober.opens({one: ("192.0.2.1", 1)}) == {one}
