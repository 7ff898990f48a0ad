"""Every action of a plan in one line: what it does, to what, and why."""

from pathlib import Path
from typing import get_args

import pytest

from app.cli.actions import Line, due_lines, line
from app.domain.actions import (
    Action,
    Adopt,
    Discover,
    MarkInService,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Protect,
    RaiseDesired,
    TagAllocation,
    Terminate,
    Withdraw,
)
from app.domain.model import EndReason, InstanceId, InstanceState, Lifecycle, ProjectId
from app.ports import Due
from app.registry import rows
from tests.builders import NOW, a_look, an_instance, an_instance_id

ONE = InstanceId("i-00000000000000001")
MINE = ProjectId("my-project")
HELD = {ONE: an_instance(id=ONE, state=InstanceState.ALLOCATED, project=MINE)}
BOOTING, ALLOCATED = InstanceState.BOOTING, InstanceState.ALLOCATED

EXAMPLES: list[tuple[Action, Line]] = [
    (
        Discover(a_look(id=ONE)),
        Line("discover", (ONE,), f"take {ONE} into the registry as booting: a new member, in service"),
    ),
    (
        Discover(a_look(id=ONE, lifecycle=Lifecycle.PENDING)),
        Line(
            "discover", (ONE,), f"take {ONE} into the registry as booting: a new member, not in service yet"
        ),
    ),
    (
        Adopt(a_look(id=ONE), MINE, NOW),
        Line(
            "adopt",
            (ONE,),
            f"take {ONE} for allocated to 'my-project' since 2026-11-22 12:00 UTC: its tags say so",
            MINE,
        ),
    ),
    (
        Adopt(a_look(id=ONE), None, NOW),
        Line(
            "adopt",
            (ONE,),
            f"take {ONE} for allocated to somebody unknown since 2026-11-22 12:00 UTC: its tags say so",
        ),
    ),
    (
        Withdraw(ONE, reason="its address has changed"),
        Line("withdraw", (ONE,), f"stop offering {ONE}, end nothing: its address has changed"),
    ),
    (
        MarkInService(ONE, since=NOW),
        Line(
            "mark-in-service",
            (ONE,),
            f"note that {ONE} is in service: its time to become ready counts",
        ),
    ),
    (
        MarkInService(ONE, since=None),
        Line("mark-in-service", (ONE,), f"note that {ONE} is out of service again"),
    ),
    (
        MarkMissing(ONE, since=NOW),
        Line(
            "mark-missing",
            (ONE,),
            f"note that AWS does not list {ONE}: a second complete look must prove it",
            MINE,
        ),
    ),
    (MarkMissing(ONE, since=None), Line("mark-missing", (ONE,), f"note that AWS lists {ONE} again", MINE)),
    (
        MarkTerminating(ONE, expect=ALLOCATED, reason=EndReason.LEFT),
        Line(
            "mark-terminating",
            (ONE,),
            f"note that {ONE} is ending, and 'my-project' loses it: AWS, or somebody at AWS, ended it",
            MINE,
        ),
    ),
    (
        MarkTerminated(ONE, expect=ALLOCATED, reason=EndReason.VANISHED),
        Line(
            "mark-terminated",
            (ONE,),
            f"note that {ONE} is gone, and 'my-project' loses it: "
            "neither the group nor EC2 lists it any more",
            MINE,
        ),
    ),
    (
        Terminate(ONE),
        Line(
            "terminate",
            (ONE,),
            f"ask AWS to terminate {ONE}, and to lower desired capacity by one with it: "
            "it was decided earlier",
        ),
    ),
    (
        Protect((ONE,)),
        Line("protect", (ONE,), f"protect {ONE} from scale-in: a lower desired capacity must not end them"),
    ),
    (
        TagAllocation(ONE, MINE, NOW),
        Line("tag-allocation", (ONE,), f"write on {ONE} that 'my-project' holds it", MINE),
    ),
    (RaiseDesired(10, 13), Line("raise-desired", (), "raise desired capacity from 10 to 13")),
]


@pytest.mark.parametrize(("action", "told"), EXAMPLES)
def test_an_action_is_told_in_one_line(action: Action, told: Line) -> None:
    assert line(action, HELD) == told


def test_there_is_an_example_of_every_action() -> None:
    assert {type(action) for action, _ in EXAMPLES} == set(get_args(Action))


@pytest.mark.parametrize("name", sorted({told.name for _, told in EXAMPLES}))
def test_the_name_of_every_action_is_documented(name: str) -> None:
    assert f"`{name}`" in (Path(__file__).parents[3] / "docs" / "howto" / "doctor.md").read_text()


@pytest.mark.parametrize("reason", EndReason)
def test_an_end_is_told_with_its_reason(reason: EndReason) -> None:
    told = line(MarkTerminated(ONE, expect=BOOTING, reason=reason), {})

    assert told.project is None
    assert "loses" not in told.text
    assert told.text.startswith(f"note that {ONE} is gone: ")


def test_a_reason_that_only_a_newer_version_knows_is_told_as_it_is() -> None:
    told = line(MarkTerminated(ONE, expect=BOOTING, reason=rows.word(EndReason, "rotated")), {})

    assert told.text == f"note that {ONE} is gone: 'rotated', as a newer version has decided"


def test_a_termination_is_told_with_the_reason_it_was_decided_for() -> None:
    ending = an_instance(state=InstanceState.TERMINATING, end_reason=EndReason.BOOT_TIMEOUT)

    assert "it did not become ready in time" in line(Terminate(ending.id), {ending.id: ending}).text


def test_what_has_had_its_time_is_told_before_what_a_pass_would_do() -> None:
    two = InstanceId("i-00000000000000002")
    due = Due(now=NOW, holds=[two], announcements=[ONE], expired=[ONE], unconfirmed=[ONE])

    assert list(due_lines(due, HELD)) == [
        Line(
            "end-hold",
            (two,),
            f"let go of {two}, which was held for inspection: the time of the hold is over",
        ),
        Line("announce", (ONE,), f"announce that the allocation of {ONE} ends soon", MINE),
        Line(
            "expire",
            (ONE,),
            f"end {ONE}, and 'my-project' loses it: the time of its allocation is over",
            MINE,
        ),
        Line(
            "end-unconfirmed",
            (ONE,),
            f"end {ONE}, and 'my-project' loses it: its allocation was not confirmed in time",
            MINE,
        ),
    ]


def test_of_many_protected_instances_a_few_are_named_and_all_are_told_to_programs() -> None:
    many = tuple(an_instance_id() for _ in range(50))
    told = line(Protect(many), {})

    assert told.instances == many
    assert f"{many[2]} and 47 more" in told.text
    assert many[3] not in told.text
