"""Each state that a pool can be in for long: the page names it, says what to do, and everybody can read it.

The installations are made once, some side by side, because each takes its seconds; a test looks at one.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.browser.installation import STATES, Installation
from tests.browser.visit import Visit, Visitor

AT_ONCE = 3
"""How many are made side by side: no service has to start while six others do."""


@dataclass(frozen=True)
class State:
    """One of them: what its verdict is to be, and where."""

    name: str
    installation: Installation


@pytest.fixture(scope="module")
def installations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Installation]]]:
    with ExitStack() as running, ThreadPoolExecutor(AT_ONCE) as makers:
        yield {
            name: makers.submit(running.enter_context, make(tmp_path_factory.mktemp(name)))
            for name, make in STATES.items()
        }


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest, installations: dict[str, Future[Installation]]) -> State:
    return State(request.param, installations[request.param].result())


@pytest.fixture
def visit(state: State, visitor: Visitor) -> Visit:
    visit = visitor(state.installation.url)
    assert visit.open() == 200
    return visit


def test_the_page_says_so(state: State, visit: Visit) -> None:
    visit.opens_saying(state.name)


def test_everybody_can_read_it(state: State, visit: Visit) -> None:
    assert visit.barriers(state.name) == []


@pytest.mark.parametrize("name", ["exhausted", "blind"])
def test_an_open_page_sees_that_it_is_over(
    name: str, installations: dict[str, Future[Installation]], visitor: Visitor
) -> None:
    installation = installations[name].result()
    visit = visitor(installation.url)
    visit.open()
    visit.awaits_verdict(name)

    installation.cloud.lift_faults()
    installation.cloud.control("POST", "capacity", limit=None)

    visit.awaits_verdict("healthy", within=60_000)
