"""Members in use of which nothing follows are not looked through, and counted all the same."""

from dataclasses import replace

from app.domain.actions import Adopt, MarkMissing
from app.domain.model import Instance, SeenInstance
from app.domain.settled import Unsettled
from tests.builders import NOW, a_group, a_look, an_observation
from tests.unit.domain.pools import a_pool, decide


def in_use(many: int) -> tuple[list[SeenInstance], list[Instance]]:
    looks, known = a_pool(used=many)
    return looks, [replace(instance, tagged=True) for instance in known]


def test_who_is_used_as_it_should_be_is_not_looked_through() -> None:
    looks, known = in_use(3)

    rest = Unsettled.of(an_observation(*looks), {one.id: one for one in known})

    assert (rest.settled, dict(rest.seen.instances), dict(rest.known)) == (3, {}, {})


def test_a_few_that_are_missing_of_many_in_use_are_no_absurd_look() -> None:
    looks, known = in_use(6)

    decided = decide(an_observation(*looks[2:], group=a_group(desired=20)), known)

    assert decided.notices == ()
    assert decided.actions == tuple(MarkMissing(one.id, since=NOW) for one in known[:2])


def test_a_project_that_holds_one_gets_no_second_by_its_name_on_another() -> None:
    looks, known = in_use(1)
    other = a_look(holder=known[0].project)

    assert decide(an_observation(*looks, other, group=a_group(desired=20)), known).actions == (
        Adopt(other, None, since=NOW),
    )
