"""The page at /docs: its lists are complete, its links lead somewhere, its examples can be copied."""

import html
import re
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from app.cli import remedies
from app.domain.errors import CloudError
from app.domain.events import EventKind
from app.domain.model import EndReason, InstanceState, Limit
from app.web import docs
from app.web.docs import meanings, reference
from app.web.document import document
from docs import openapi
from tests.unit.web.services import Service

SCRIPT = (Path(docs.__file__).parent / "page.js").read_text()
WORDS = {"events": EventKind, "states": InstanceState, "end-reasons": EndReason, "limits": Limit}


class Undocumented(StrEnum):
    """Has a member of which nobody knows what it means."""

    KNOWN = "known"
    """It is said."""
    UNKNOWN = "unknown"


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return document(openapi.interface())


@pytest.fixture
def page(service: Service) -> str:
    return service.http.get("/docs").text


def listed(page: str, words: str) -> dict[str, list[str]]:
    """Return the words of a list with their other cells."""
    rows = re.findall(rf'<tr id="list-of-{words}-[^"]*">(.*?)</tr>', page)
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    return {re.sub("<.*?>", "", word): others for word, *others in cells}


def examples(page: str) -> list[str]:
    return [
        html.unescape(text)
        for text in re.findall(r"<pre[^>]*><code[^>]*>(.*?)</code></pre>", page, re.DOTALL)
    ]


# Lists


@pytest.mark.parametrize("words", WORDS)
def test_every_word_of_an_answer_is_on_the_page_with_its_meaning(page: str, words: str) -> None:
    found = listed(page, words)

    assert found.keys() == {word.value for word in WORDS[words]}
    assert all(all(cells) for cells in found.values())


def test_a_word_without_a_meaning_is_an_error_and_not_left_out() -> None:
    with pytest.raises(KeyError, match="UNKNOWN"):
        meanings.members(Undocumented)


def test_every_warning_is_on_the_page_with_what_to_do(page: str) -> None:
    found = listed(page, "warnings")

    assert remedies.WARNINGS.keys() <= found.keys()
    assert {kind.code for kind in CloudError.__subclasses__()} <= found.keys()
    assert all(len(cells) == 2 and all(cells) for cells in found.values())


def test_the_page_and_the_command_line_know_the_same_warnings() -> None:
    assert {code for code, _, _ in meanings.warnings()} == remedies.WARNINGS.keys()


def test_every_error_is_on_the_page_with_what_to_do(page: str, told: dict[str, Any]) -> None:
    codes = set(re.findall(r"problem:([a-z-]+)", str(told))) | {"method-not-allowed"}

    assert listed(page, "errors").keys() == codes == meanings.errors().keys()


def test_the_descriptions_link_to_the_lists(page: str) -> None:
    linked = set(re.findall(r'href="#list-of-([a-z-]+)"', page))

    assert {*WORDS, "warnings", "errors"} <= linked
    assert 'href="/docs#' not in page
    assert not re.search(r"see the list of", page)


def test_no_anchor_is_there_twice(page: str) -> None:
    anchors = Counter(re.findall(r' id="([^"]*)"', page))

    assert [anchor for anchor, count in anchors.items() if count > 1] == []


# Examples


def test_the_page_puts_its_own_address_into_every_example(page: str) -> None:
    addresses = {
        address
        for example in examples(page)
        for address in re.findall(r"(?:curl|\").*?(https?://[^/\"{]+)", example)
    }

    assert addresses - {"http://54.123.45.67:8080"} == {reference.SERVICE}
    assert 'querySelectorAll("main pre code")' in SCRIPT
    assert f'replaceAll("{reference.SERVICE}", location.origin)' in SCRIPT


def test_whatever_an_example_takes_from_the_shell_is_set_before(page: str) -> None:
    known: set[str] = set()
    unset = []
    for example in examples(page):
        if "curl" in example or "export" in example:
            known |= set(re.findall(r"^(?:export )?([A-Z_]+)=", example, re.MULTILINE))
            unset += [name for name in re.findall(r"\$([A-Z_]+)", example) if name not in known]

    assert unset == []


def test_no_example_knows_an_instance_or_a_version(page: str) -> None:
    curls = [example for example in examples(page) if example.startswith("curl")]

    assert len(curls) > 20
    assert [one for one in curls if re.search(r"i-0123|If-Match: (?!\$ETAG)", one)] == []


def test_what_ends_something_is_shown_after_what_needs_it(page: str) -> None:
    order = re.findall(r'<article class="operation" id="(\w+)"', page)

    assert order.index("renewAllocation") < order.index("release")
    assert order.index("unholdInstance") < order.index("destroyInstance")


def test_a_number_in_an_example_is_written_as_one_would_write_it(page: str) -> None:
    assert """-d '{"wait": 30, "ttl": 3600}'""" in "\n".join(examples(page))
    assert '"wait": 30.0' not in html.unescape(page)
