"""A window of the tests sees what a good page never does."""

from collections.abc import Iterator

import pytest

from tests.answering import AnsweringService, Says
from tests.browser.visit import Visit, Visitor


@pytest.fixture
def service() -> Iterator[AnsweringService]:
    with AnsweringService() as service:
        service.on("GET", "/favicon.ico", Says(status=204, body=""))
        yield service


def opened(service: AnsweringService, visitor: Visitor, body: str) -> Visit:
    service.on("GET", "/", Says(body=f"<!doctype html><title>A page</title>{body}", kind="text/html"))
    visit = visitor(service.url)
    visit.open("/")
    return visit


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        pytest.param('<img src="http://example.com/cat">', "another host: GET http://example", id="request"),
        pytest.param("<script>console.error('oh')</script>", "console error: oh", id="console"),
        pytest.param("<script>throw Error('oh')</script>", "exception: oh", id="exception"),
    ],
)
def test_what_goes_wrong_in_a_page_fails_the_test(
    service: AnsweringService, visitor: Visitor, body: str, seen: str
) -> None:
    visit = opened(service, visitor, body)

    with pytest.raises(AssertionError, match=seen):
        visit.check()
    visit.expects("Failed to load resource")  # of the picture, which the browser may tell a moment later


def test_what_is_too_wide_or_has_no_name_is_a_barrier(service: AnsweringService, visitor: Visitor) -> None:
    wide = '<html lang="en"><main><h1>A page</h1><p style="width: 500px"><button></button>'
    visit = opened(service, visitor, wide)

    barriers = "\n".join(visit.barriers("wide"))

    assert "critical button-name" in barriers
    assert "stand out at the right" in barriers


def test_what_a_state_causes_can_be_pardoned(service: AnsweringService, visitor: Visitor) -> None:
    visit = visitor(service.url)
    visit.expects("status of 404")

    visit.open("/nothing/here")

    visit.check()
