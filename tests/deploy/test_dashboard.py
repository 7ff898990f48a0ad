"""The dashboard for Grafana: what is imported is checked by nobody else before somebody looks at it."""

import re
from itertools import combinations, pairwise

import pytest

from tests.deploy import files, promql

DASHBOARD = files.dashboard()
PANELS = [panel for panel in DASHBOARD.panels if isinstance(panel, files.Panel)]
ROWS = [row for row in DASHBOARD.panels if isinstance(row, files.Row)]
TARGETS = [
    pytest.param(target, id=f"{panel.title}-{target.ref}") for panel in PANELS for target in panel.targets
]

UNITS = {"none", "s", "reqps", "cpm"}
"""Of Grafana's units, those that our figures have: counts, seconds, requests a second, so many a minute."""

NEWEST_SCHEMA = 42
"""Of the classic model; the default of @grafana/schema 13.2."""


def test_it_is_of_the_newest_schema() -> None:
    assert DASHBOARD.schema_version == NEWEST_SCHEMA


def test_its_rows() -> None:
    titles = [row.title for row in ROWS]

    assert titles == ["Health", "Allocations", "Pool", "AWS", "Passes and leadership", "HTTP"]


def test_source_installation_and_pools_are_chosen_in_this_order() -> None:
    chosen = [(one.name, one.type, one.multi) for one in DASHBOARD.templating.variables]

    assert chosen == [("datasource", "datasource", False), ("job", "query", False), ("pool", "query", True)]


@pytest.mark.parametrize(
    "variable", [one for one in DASHBOARD.templating.variables if one.definition], ids=lambda one: one.name
)
def test_a_choice_is_read_from_a_label_that_there_is(variable: files.Variable) -> None:
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable.definition or "")

    assert found
    assert promql.look(found[1]).faults == []
    assert found[2] == variable.name
    assert found[2] in (promql.look(found[1]).labels or ())


@pytest.mark.parametrize("target", TARGETS)
def test_an_expression_can_be_true(target: files.Target) -> None:
    assert promql.look(target.expr).faults == []


@pytest.mark.parametrize("target", TARGETS)
def test_an_expression_is_of_the_chosen_installation(target: files.Target) -> None:
    selectors = re.findall(r"ec2_orchestrator_\w+(?:\{[^}]*\})?", target.expr)

    assert [one for one in selectors if 'job="$job"' not in one] == []


@pytest.mark.parametrize("target", TARGETS)
def test_an_expression_is_of_the_chosen_pools_where_it_can_be(target: files.Target) -> None:
    selectors = re.findall(r"(ec2_orchestrator_\w+)(\{[^}]*\})?", target.expr)
    of_pools = [conditions for name, conditions in selectors if "pool" in promql.metrics()[name].labels]

    assert [one for one in of_pools if 'pool=~"$pool"' not in one] == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_legend_names_every_label_that_tells_its_lines_apart(target: files.Target) -> None:
    labels = promql.look(target.expr).labels or frozenset()

    if target.format == "time_series":
        assert set(re.findall(r"\{\{(\w+)\}\}", target.legend)) == labels


def test_annotations_can_be_true() -> None:
    asked = [one["target"]["expr"] for one in DASHBOARD.annotations["list"] if "target" in one]

    assert asked
    assert [fault for one in asked for fault in promql.look(one).faults] == []


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
class TestEveryPanel:
    def test_has_a_unit(self, panel: files.Panel) -> None:
        assert panel.field_config.defaults.unit in UNITS

    def test_says_seconds_where_it_shows_seconds_and_nowhere_else(self, panel: files.Panel) -> None:
        shows = [bool(re.search(r"_seconds(_bucket)?\b", target.expr)) for target in panel.targets]

        assert set(shows) == {panel.field_config.defaults.unit == "s"}

    def test_says_a_minute_where_it_is_counted_by_the_minute(self, panel: files.Panel) -> None:
        counted = {target.expr.startswith("60 * sum") for target in panel.targets}

        assert counted == {panel.field_config.defaults.unit == "cpm"}

    def test_has_no_two_targets_of_one_letter(self, panel: files.Panel) -> None:
        letters = [target.ref for target in panel.targets]

        assert len(letters) == len(set(letters))

    def test_colours_only_lines_that_it_has(self, panel: files.Panel) -> None:
        legends = {target.legend for target in panel.targets}
        words = {
            value
            for metric in promql.metrics().values()
            for group in metric.values.values()
            for value in group
        }
        coloured = {one["matcher"]["options"] for one in panel.field_config.overrides}

        assert coloured <= legends | words


class TestTheGrid:
    def test_no_two_panels_have_one_id(self) -> None:
        ids = [panel.id for panel in DASHBOARD.panels]

        assert len(ids) == len(set(ids))

    def test_nothing_reaches_over_the_edge(self) -> None:
        assert [panel.title for panel in DASHBOARD.panels if panel.grid.x + panel.grid.w > 24] == []

    def test_nothing_lies_on_another(self) -> None:
        pairs = combinations(DASHBOARD.panels, 2)

        assert [(one.title, other.title) for one, other in pairs if _overlap(one.grid, other.grid)] == []

    def test_it_is_read_from_top_to_bottom_as_it_stands_in_the_file(self) -> None:
        places = [(panel.grid.y, panel.grid.x) for panel in DASHBOARD.panels]

        assert places == sorted(places)

    def test_every_line_of_panels_is_filled(self) -> None:
        widths: dict[int, int] = {}
        for panel in DASHBOARD.panels:
            widths[panel.grid.y] = widths.get(panel.grid.y, 0) + panel.grid.w

        assert set(widths.values()) == {24}

    def test_no_row_is_empty(self) -> None:
        kinds = [panel.type for panel in DASHBOARD.panels]

        assert kinds[-1] != "row"
        assert ("row", "row") not in pairwise(kinds)


def _overlap(one: files.Grid, other: files.Grid) -> bool:
    return (
        one.x < other.x + other.w
        and other.x < one.x + one.w
        and one.y < other.y + other.h
        and other.y < one.y + one.h
    )
