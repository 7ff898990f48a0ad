"""/docs in a browser."""

from tests.browser.installation import Installation
from tests.browser.visit import Visitor


def test_everybody_can_use_it(installation: Installation, visitor: Visitor) -> None:
    visit = visitor(installation.url)
    visit.open("/docs")

    assert visit.barriers("docs", whole=False) == []
