"""What the documents say of metrics can be asked: names that there are, in expressions that parse."""

import re
from pathlib import Path

import promql_parser
import pytest

from app.telemetry.families import FAMILIES, Kind

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "howto" / "observe.md"
SAMPLES = {
    family.name + suffix
    for family in FAMILIES
    for suffix in (("", "_bucket", "_count", "_sum") if family.kind is Kind.HISTOGRAM else ("",))
}
EXPRESSIONS = re.findall(r"`((?:sum|max|histogram_quantile) ?[^`]*\(.*?)`", PAGE.read_text())


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_every_metric_that_is_named_is_there(page: Path) -> None:
    named = set(re.findall(r"\bec2_orchestrator_[a-z_]*[a-z]\b", page.read_text()))

    assert named - SAMPLES == set()


@pytest.mark.parametrize("expression", [one for one in EXPRESSIONS if "..." not in one])
def test_every_expression_can_be_asked(expression: str) -> None:
    assert promql_parser.parse(expression)


def test_there_are_expressions_to_ask() -> None:
    assert len(EXPRESSIONS) > 8
