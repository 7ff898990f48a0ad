"""The guide to the dashboard is complete."""

import re
from pathlib import Path

from app.domain.verdict import Condition
from app.ports import ENDED
from app.web.dashboard.queries import Choice, OverviewQuery

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "dashboard.md").read_text()


def test_every_condition_of_a_pool_is_explained_and_no_other() -> None:
    table = PAGE[PAGE.index("| it says |") : PAGE.index("Of several that hold")]

    assert sorted(re.findall(r"^\| `(\w+)` \| ", table, re.MULTILINE)) == sorted(Condition)


def test_the_order_of_the_conditions_is_that_of_the_code() -> None:
    (said,) = re.findall(r"must know: (.*?)\.", PAGE)
    named = re.findall(r"`(\w+)`", said)

    assert named == [one for one in Condition if one in named]
    assert set(Condition) - set(named) == {Condition.EMPTY, Condition.HEALTHY}


def test_how_many_of_the_ended_are_looked_through_is_said() -> None:
    assert f"the last {ENDED:,} of each pool are looked through" in PAGE


def test_every_parameter_of_the_page_is_named() -> None:
    for name in OverviewQuery.model_fields.keys() - {
        "allocations_page"
    }:  # beside `page`, which stands for both
        assert f"{name}=" in PAGE


def test_every_choice_of_the_list_is_named() -> None:
    assert f"`{' '.join(Choice)}`" in PAGE
