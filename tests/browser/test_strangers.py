"""Pages of others, in the browser of somebody who has logged in: they can do nothing with it."""

from collections.abc import Iterator

import pytest

from app.domain.access import Role
from tests.answering import AnsweringService, Says
from tests.browser.installation import Guarded
from tests.browser.visit import Visit, Visitor

PAUSE = """<!doctype html><title>Cats</title>
<form method=post action="{url}/dashboard/do/pause?pool=default">
<input name=version value=0><button>Cats</button></form>
"""
FRAME = """<!doctype html><title>Cats</title><iframe src="{url}/dashboard"></iframe>"""
OURS_IS_ANOTHER = "another host: "


@pytest.fixture
def elsewhere() -> Iterator[AnsweringService]:
    """Another port of the same host, to which browsers send the same cookies."""
    with AnsweringService() as service:
        service.on("GET", "/favicon.ico", Says(status=204, body=""))
        yield service


@pytest.fixture
def victim(guarded: Guarded, visitor: Visitor, elsewhere: AnsweringService) -> Visit:
    """Somebody who has logged in as admin, and is led astray."""
    visit = visitor(guarded.url)
    visit.log_in(guarded.tokens[Role.ADMIN])
    return visit


def test_a_form_of_another_page_changes_nothing(
    guarded: Guarded, victim: Visit, elsewhere: AnsweringService
) -> None:
    elsewhere.on("GET", "/", Says(body=PAUSE.format(url=guarded.url), kind="text/html"))

    victim.expects(OURS_IS_ANOTHER, "status of 403")
    victim.page.goto(f"{elsewhere.url}/")
    with victim.page.expect_navigation() as answer:
        victim.page.get_by_role("button").click()

    assert answer.value is not None
    assert answer.value.status == 403
    assert not guarded.pool()["paused"]


def test_another_page_cannot_show_ours_in_itself(
    guarded: Guarded, victim: Visit, elsewhere: AnsweringService
) -> None:
    elsewhere.on("GET", "/", Says(body=FRAME.format(url=guarded.url), kind="text/html"))

    victim.expects(OURS_IS_ANOTHER, "frame-ancestors|X-Frame-Options|status of 403")
    victim.page.goto(f"{elsewhere.url}/")
    frame = victim.page.frame_locator("iframe")

    assert frame.locator("#health").count() == 0
