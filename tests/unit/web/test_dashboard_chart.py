"""The last hours of a pool, drawn and in words."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from app.domain.history import GRAIN, Sample
from app.domain.model import DEFAULT_POOL
from app.web.dashboard import chart
from app.web.dashboard.chart import Chart, Panel
from tests.builders import NOW
from tests.fakes import FakeHistory
from tests.unit.web.html_tree import tree
from tests.unit.web.services import GPU, Service


def a_sample(at: datetime, **figures: Any) -> Sample:
    plain = Sample(pool=DEFAULT_POOL, at=at, idle=5, allocated=3, booting=0, waiting=0, buffer=5, desired=8)
    return replace(plain, **figures)


def drawn(*samples: Sample, hours: int = 1, now: datetime = NOW) -> Chart:
    history = FakeHistory()
    history.note(samples)
    return chart.draw(history, DEFAULT_POOL, hours, now)


def panel(found: Chart, name: str) -> Panel:
    return next(one for one in found.panels if one.name == name)


def line(found: Chart, panel_name: str, series: str) -> str:
    return next(one.line for one in panel(found, panel_name).series if one.name == series)


def minutes(number: float) -> datetime:
    """A moment so long before now."""
    return NOW - timedelta(minutes=number)


@pytest.mark.parametrize("hours", chart.STEPS)
def test_any_time_is_drawn_with_as_many_points(hours: int) -> None:
    found = drawn(hours=hours)

    assert found.width == 240
    assert found.end - found.start == timedelta(hours=hours)


def test_the_chart_ends_with_the_step_that_now_is_in() -> None:
    found = drawn(now=NOW + timedelta(seconds=1))

    assert found.end == NOW + GRAIN


def test_a_figure_is_drawn_until_the_next_and_the_last_for_one_step() -> None:
    found = drawn(
        a_sample(minutes(60), idle=5),
        a_sample(minutes(60) + GRAIN, idle=5),
        a_sample(minutes(60) + 2 * GRAIN, idle=0),
    )

    assert panel(found, "stock").ticks[-1].label == "6"
    assert line(found, "stock", "idle") == "M0 16.67H2V100H3"


def test_a_gap_stays_a_gap() -> None:
    found = drawn(a_sample(minutes(60)), a_sample(minutes(30)))

    assert line(found, "use", "used").count("M") == 2


def test_a_sample_that_came_a_little_late_is_no_gap() -> None:
    found = drawn(a_sample(minutes(60)), a_sample(minutes(60) + (chart.BRIDGED + 1) * GRAIN))

    assert line(found, "use", "used").count("M") == 1


def test_what_aws_did_not_say_is_not_drawn() -> None:
    assert line(drawn(a_sample(minutes(1), desired=None)), "use", "desired") == ""


def test_nobody_waiting_is_no_line() -> None:
    assert line(drawn(a_sample(minutes(1))), "stock", "waiting") == ""
    assert line(drawn(a_sample(minutes(1), waiting=2)), "stock", "waiting") != ""


def test_who_waited_now_and_then_was_not_waiting_in_between() -> None:
    start = minutes(60)
    found = drawn(*(a_sample(start + number * GRAIN, waiting=number % 2) for number in range(4)))

    assert line(found, "stock", "waiting") == "M1 83.33H2M3 83.33H4"


def test_each_panel_has_a_scale_of_its_own() -> None:
    found = drawn(a_sample(minutes(1), allocated=1900, desired=1905))

    assert [tick.label for tick in panel(found, "stock").ticks] == ["0", "2", "4", "6"]
    assert [tick.label for tick in panel(found, "use").ticks] == ["0", "500", "1,000", "1,500", "2,000"]


@pytest.mark.parametrize("most", [0, 1, 2, 3, 5, 9, 10, 11, 99, 100, 101, 4999, 10_000])
def test_a_scale_has_few_round_lines_and_room_for_the_most(most: int) -> None:
    found = panel(drawn(a_sample(minutes(1), allocated=most, desired=0)), "use").ticks
    numbers = [int(tick.label.replace(",", "")) for tick in found]

    assert numbers[-1] > most
    assert 2 <= len(numbers) <= 6
    assert {number - before for before, number in pairwise(numbers)} == {numbers[1]}
    assert str(numbers[1]).rstrip("0") in {"1", "2", "5"}


def test_round_times_are_labelled() -> None:
    labels = [tick.label for tick in drawn(now=NOW + timedelta(minutes=5)).ticks]

    assert labels == ["11:10", "11:20", "11:30", "11:40", "11:50", "12:00"]


def test_the_same_stands_there_in_words() -> None:
    found = drawn(a_sample(minutes(59), idle=0, waiting=3), a_sample(minutes(1), allocated=1200))

    assert found.summary == (
        "In the samples of the last hour: 0 idle at the least, 1,200 in use at the most, "
        "3 waiting at the most."
    )


def test_without_samples_that_is_said() -> None:
    found = drawn()

    assert found.summary.startswith("There are no samples yet")
    assert found.unknown is not None
    assert found.unknown.label == "No samples yet"


def test_the_time_before_the_first_sample_is_called_unknown_where_it_is_long() -> None:
    young, old = drawn(a_sample(minutes(6))), drawn(a_sample(minutes(55)))

    assert young.summary.startswith("In the samples since 11:54: ")
    assert young.unknown is not None
    assert (young.unknown.at, young.unknown.label) == (45, "No samples before 11:54")
    assert old.unknown is None


def test_the_table_has_the_least_idle_and_the_most_of_the_others() -> None:
    found = drawn(
        a_sample(minutes(9), idle=1, allocated=7, buffer=4, desired=None),
        a_sample(minutes(8), idle=5, allocated=3, waiting=2, desired=8),
        a_sample(minutes(1)),
    )

    newest, older = found.rows
    assert (newest.at, older.at) == (minutes(5), minutes(10))
    assert (older.idle, older.allocated, older.waiting, older.buffer, older.desired) == (1, 7, 2, 4, 8)


def test_what_the_pointer_reads_is_what_was_drawn() -> None:
    found = drawn(a_sample(minutes(60)), a_sample(minutes(59), idle=2, waiting=1, desired=None))

    assert json.loads(found.data) == {
        "start": int(minutes(60).timestamp()),
        "step": 15,
        "points": {"0": [5, 5, 0, 3, 0, 8], "4": [2, 5, 1, 3, 0, None]},
    }


def test_the_chart_is_served_alone(service: Service) -> None:
    service.history.note([a_sample(minutes(3), pool=GPU, idle=1)])

    figure = tree(service.http.get("/dashboard/chart?pool=gpu&hours=6").text).one("section", id="chart")

    assert (figure.attributes["data-pool"], figure.attributes["data-hours"]) == ("gpu", "6")
    assert "1 idle at the least, 3 in use at the most, nobody waiting" in figure.one("figcaption").text
    assert figure.one("nav").one("a", aria_current="true").text == "6 hours"
    assert figure.one("table").rows()[0][1] == "1"


def test_the_chart_is_sent_again_only_with_another_sample(service: Service) -> None:
    tag = service.http.get("/dashboard/chart").headers["ETag"]

    assert service.http.get("/dashboard/chart", headers={"If-None-Match": tag}).status_code == 304
    service.history.note([a_sample(minutes(3))])
    assert service.http.get("/dashboard/chart", headers={"If-None-Match": tag}).status_code == 200


def test_of_a_pool_that_is_not_there_no_chart_is_drawn(service: Service) -> None:
    assert service.http.get("/dashboard/chart?pool=nowhere").status_code == 404
