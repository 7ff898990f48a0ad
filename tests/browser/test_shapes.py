"""The page on a phone, under a thumb, and on paper."""

from itertools import pairwise

import pytest
from playwright.sync_api import FloatRect, Locator

from tests.browser.installation import Installation
from tests.browser.visit import PHONE, Visitor

LONG = "p" * 63
THUMB = 40
"""Pixels."""
POINTER = 24
"""Pixels: WCAG 2.2, 2.5.8."""


def box(one: Locator) -> FloatRect:
    found = one.bounding_box()
    assert found
    return found


@pytest.mark.parametrize("action", ["release", "allocate"])
def test_a_question_about_a_long_name_fits_a_phone(
    installation: Installation, visitor: Visitor, action: str
) -> None:
    installation.allocate(LONG)
    visit = visitor(installation.url, size=PHONE)

    visit.open(f"/dashboard/do/{action}?project={LONG}")

    visit.picture(f"question-{action}-long-phone")
    assert visit.sideways() == 0


def test_what_was_done_with_a_long_name_fits_a_phone(installation: Installation, visitor: Visitor) -> None:
    installation.allocate(LONG)
    visit = visitor(installation.url, size=PHONE)
    visit.open(f"/dashboard/do/release?project={LONG}")

    visit.answer("Release")
    visit.done.wait_for()

    visit.picture("done-long-phone", whole=False)
    assert visit.sideways() == 0


@pytest.mark.parametrize(("size", "least"), [((1280, 900), POINTER), (PHONE, THUMB)])
def test_what_changes_something_is_large_enough(
    installation: Installation, visitor: Visitor, size: tuple[int, int], least: int
) -> None:
    installation.allocate("my-project")
    visit = visitor(installation.url, size=size)
    visit.open()
    heights = visit.page.locator("a[data-ask], main button:visible, .bar button").evaluate_all(
        "all => all.map(one => [one.textContent, one.getBoundingClientRect().height])"
    )

    assert heights
    assert [one for one in heights if one[1] < least] == []


def test_what_ends_something_is_apart_from_what_keeps_it(
    installation: Installation, visitor: Visitor
) -> None:
    visit = visitor(installation.url, size=PHONE)
    visit.open()
    row = visit.row("instances", "idle").first
    links = [box(one) for one in row.locator("a[data-ask]").all()]
    assert len(links) == 2

    gaps = [
        right["x"] - left["x"] - left["width"]
        for left, right in pairwise(sorted(links, key=lambda one: one["x"]))
    ]

    assert min(gaps) >= THUMB


def test_paper_is_light_and_has_no_buttons(installation: Installation, visitor: Visitor) -> None:
    visit = visitor(installation.url, scheme="dark")
    visit.open()
    visit.page.get_by_text("Live", exact=True).wait_for()

    visit.page.emulate_media(media="print", color_scheme="dark")
    visit.picture("print")

    look = "getComputedStyle(document.getElementById('headline')).color"
    assert visit.page.evaluate(look) == "rgb(24, 32, 48)"
    assert visit.page.locator("a[data-ask]:visible").count() == 0
    assert visit.page.locator("button:visible").count() == 0
    assert visit.page.get_by_text("As of 20").is_visible()
