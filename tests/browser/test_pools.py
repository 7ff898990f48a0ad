"""Several pools: one is shown at a time, and one in trouble is seen from the others."""

from collections.abc import Iterator

import pytest

from tests.browser.installation import Installation, several
from tests.browser.visit import Visit, Visitor


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with several(tmp_path_factory.mktemp("several")) as made:
        made.allocate("my-model", pool="gpu")
        yield made


@pytest.fixture
def visit(installation: Installation, visitor: Visitor) -> Visit:
    visit = visitor(installation.url)
    visit.open()
    return visit


def test_the_default_pool_comes_first(visit: Visit) -> None:
    visit.awaits_verdict("healthy")
    assert visit.section("instances").locator("tbody tr[data-key]").count() == 2


def test_another_is_a_click_away(visit: Visit) -> None:
    visit.page.get_by_role("navigation", name="Pools").get_by_role("link", name="gpu").click()
    visit.page.wait_for_url("**pool=gpu*")

    visit.row("instances", "my-model").wait_for()
    assert visit.page.get_by_role("link", name="gpu").first.get_attribute("aria-current")


def test_one_in_trouble_is_seen_from_the_others(visit: Visit) -> None:
    late = visit.page.get_by_role("navigation", name="Pools").get_by_role("link", name="late")

    assert (late.text_content() or "").strip() != "late"  # not by its colour alone


def test_its_own_page_says_what_is_the_matter(visit: Visit) -> None:
    visit.open("/dashboard?pool=late")
    visit.picture("several-late")

    assert "late-asg" in visit.section("warnings").inner_text()


def test_a_pool_that_is_none_is_said_so(visit: Visit) -> None:
    visit.expects("status of 404")
    assert visit.open("/dashboard?pool=nobodys") == 404

    assert "nobodys" in visit.page.get_by_role("main").inner_text()
    assert visit.barriers("several-no-such-pool") == []


def test_everybody_can_use_it(visit: Visit) -> None:
    assert visit.barriers("several") == []
