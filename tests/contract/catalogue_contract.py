"""What every implementation of the Catalogue port promises."""

from datetime import timedelta

import pytest

from app.domain.errors import AllocationNotFound, InstanceNotFound
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, InstanceState, PoolName, ProjectId
from app.ports import Catalogue, Registry
from tests.builders import NOW, a_look

GPU = PoolName("gpu")


def fill(registry: Registry, count: int, pool: PoolName = DEFAULT_POOL) -> list[InstanceId]:
    """Put so many idle instances there, and return their ids in order."""
    ids = []
    for _ in range(count):
        look = a_look()
        registry.discover(pool, look, now=NOW)
        registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)
        ids.append(look.id)
    return sorted(ids)


def claim(registry: Registry, *projects: str, pool: PoolName = DEFAULT_POOL) -> None:
    for project in projects:
        registry.claim(pool, ProjectId(project), actor="ann", now=NOW)


def launched(registry: Registry, minutes: int) -> InstanceId:
    """Put an instance there that was launched so many minutes after the others."""
    look = a_look(launched_at=NOW + timedelta(minutes=minutes))
    registry.discover(DEFAULT_POOL, look, now=NOW)
    return look.id


class CatalogueContract:
    """Subclasses give the fixtures `registry` and `catalogue`, on one database."""

    def test_of_nothing_there_is_one_empty_page(self, catalogue: Catalogue) -> None:
        for page in (
            catalogue.allocations(limit=10),
            catalogue.instances(limit=10),
            catalogue.events(limit=10),
        ):
            assert (list(page.items), page.more) == ([], False)

    def test_allocations_come_by_project_a_page_at_a_time(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        fill(registry, 5)
        claim(registry, "d", "b", "e", "a", "c")

        first = catalogue.allocations(limit=2)
        second = catalogue.allocations(after=first.items[-1].project, limit=2)
        third = catalogue.allocations(after=second.items[-1].project, limit=2)

        pages = [[one.project for one in page.items] for page in (first, second, third)]
        assert pages == [["a", "b"], ["c", "d"], ["e"]]
        assert [first.more, second.more, third.more] == [True, True, False]

    def test_a_page_that_fits_is_the_last_one(self, registry: Registry, catalogue: Catalogue) -> None:
        fill(registry, 2)
        claim(registry, "a", "b")

        assert not catalogue.allocations(limit=2).more

    def test_what_is_there_throughout_is_met_once_however_the_rest_changes(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        fill(registry, 6)
        claim(registry, "b", "d", "f")
        first = catalogue.allocations(limit=2)
        claim(registry, "a", "e")
        registry.destroy(first.items[0].instance, actor="ann", now=NOW)

        rest = catalogue.allocations(after=first.items[-1].project, limit=10)

        assert [one.project for one in rest.items] == ["e", "f"]

    def test_an_ended_allocation_is_not_listed(self, registry: Registry, catalogue: Catalogue) -> None:
        fill(registry, 1)
        claim(registry, "a")
        registry.destroy(catalogue.allocation(ProjectId("a")).instance, actor="ann", now=NOW)

        assert not catalogue.allocations(limit=10).items
        with pytest.raises(AllocationNotFound):
            catalogue.allocation(ProjectId("a"))

    def test_allocations_of_one_pool(self, registry: Registry, catalogue: Catalogue) -> None:
        fill(registry, 1)
        fill(registry, 1, GPU)
        claim(registry, "a")
        claim(registry, "b", pool=GPU)

        assert [one.project for one in catalogue.allocations(pool=GPU, limit=10).items] == ["b"]

    def test_an_allocation_is_found_by_its_project(self, registry: Registry, catalogue: Catalogue) -> None:
        (only,) = fill(registry, 1)
        claim(registry, "a")

        found = catalogue.allocation(ProjectId("a"))

        assert (found.instance, found.pool, found.allocated_at) == (only, DEFAULT_POOL, NOW)
        assert (found.state, found.expires_at) == (InstanceState.ALLOCATED, None)

    def test_instances_come_by_id_a_page_at_a_time(self, registry: Registry, catalogue: Catalogue) -> None:
        ids = fill(registry, 3)

        first = catalogue.instances(limit=2)
        second = catalogue.instances(after=first.items[-1].id, limit=2)

        assert [one.id for one in (*first.items, *second.items)] == ids
        assert (first.more, second.more) == (True, False)

    def test_instances_of_one_pool_and_of_one_state(self, registry: Registry, catalogue: Catalogue) -> None:
        fill(registry, 2)
        gpus = fill(registry, 2, GPU)
        claim(registry, "a", pool=GPU)

        idle = catalogue.instances(pool=GPU, state=InstanceState.IDLE, limit=10).items

        (taken,) = catalogue.allocations(limit=10).items
        assert [one.id for one in idle] == [one for one in gpus if one != taken.instance]

    def test_terminated_instances_are_listed_only_when_asked_for(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        (gone,) = fill(registry, 1)
        registry.destroy(gone, actor="ann", now=NOW)
        registry.end(
            gone,
            expect=InstanceState.TERMINATING,
            to=InstanceState.TERMINATED,
            reason=EndReason.DESTROYED,
            now=NOW,
        )

        assert not catalogue.instances(limit=10).items
        asked = catalogue.instances(state=InstanceState.TERMINATED, limit=10).items
        assert [one.id for one in asked] == [gone]
        assert catalogue.instance(gone).state is InstanceState.TERMINATED

    def test_an_instance_that_was_never_ours_is_not_found(self, catalogue: Catalogue) -> None:
        with pytest.raises(InstanceNotFound):
            catalogue.instance(InstanceId("i-0123456789abcdef0"))

    def test_events_come_newest_first_a_page_at_a_time(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        for number in range(5):
            at = NOW + timedelta(seconds=number)
            registry.record(EventKind.CAPACITY_MOVED, DEFAULT_POOL, reason=str(number), now=at)

        first = catalogue.events(limit=3)
        second = catalogue.events(before=first.items[-1].id, limit=3)

        assert [one.reason for one in (*first.items, *second.items)] == ["4", "3", "2", "1", "0"]
        assert (first.more, second.more) == (True, False)

    def test_events_of_one_pool_project_or_instance(self, registry: Registry, catalogue: Catalogue) -> None:
        fill(registry, 2)
        fill(registry, 1, GPU)
        claim(registry, "a", "b")
        held = catalogue.allocation(ProjectId("b")).instance

        assert {one.pool for one in catalogue.events(pool=GPU, limit=50).items} == {GPU}
        of_project = catalogue.events(project=ProjectId("b"), limit=50).items
        assert [one.kind for one in of_project] == [EventKind.ALLOCATION_CREATED]
        of_instance = catalogue.events(instance=held, limit=50).items
        assert [one.kind for one in of_instance] == [
            EventKind.ALLOCATION_CREATED,
            EventKind.INSTANCE_IDLE,
            EventKind.INSTANCE_DISCOVERED,
        ]

    def test_instances_are_found_with_the_newest_launch_first(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        old, new, middle = (launched(registry, minutes) for minutes in (1, 3, 2))

        found = catalogue.find_instances(limit=10)

        assert [one.id for one in found.items] == [new, middle, old]

    def test_instances_launched_together_are_found_by_id(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        ids = fill(registry, 3)

        assert [one.id for one in catalogue.find_instances(limit=10).items] == ids

    def test_a_part_of_what_was_found_comes_with_how_much_it_is_in_all(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        ids = fill(registry, 5)

        found = catalogue.find_instances(offset=2, limit=2)

        assert ([one.id for one in found.items], found.total) == (ids[2:4], 5)

    def test_beyond_the_end_nothing_is_found_and_the_total_stays(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        fill(registry, 2)

        found = catalogue.find_instances(offset=2, limit=2)

        assert (list(found.items), found.total) == ([], 2)

    def test_instances_are_found_in_one_pool_and_one_state(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        fill(registry, 2)
        fill(registry, 2, GPU)
        claim(registry, "a", pool=GPU)
        taken = catalogue.allocation(ProjectId("a")).instance

        found = catalogue.find_instances(pool=GPU, state=InstanceState.ALLOCATED, limit=10)

        assert ([one.id for one in found.items], found.total) == ([taken], 1)

    @pytest.mark.parametrize("text", ["Shop", "shop-front", "front shop", "10.9.8.7", "West-1B", "9.8 shop"])
    def test_an_instance_is_found_by_words_of_its_project_its_address_and_its_zone(
        self, registry: Registry, catalogue: Catalogue, text: str
    ) -> None:
        fill(registry, 1)
        claim(registry, "other")
        registry.discover(DEFAULT_POOL, look := a_look(zone="eu-west-1b"), now=NOW)
        registry.mark_idle(look.id, "10.9.8.7", 8080, now=NOW)
        claim(registry, "shop-front")
        narrow = catalogue.find_instances(text=f"{text} {look.id[-6:]}", limit=10)

        assert [one.id for one in narrow.items] == [look.id]
        assert [one.project for one in catalogue.find_allocations(text=text, limit=10).items][:1] == [
            "shop-front"
        ]

    @pytest.mark.parametrize("text", ["nobody", "%", "_", "shop%front", "shop nobody"])
    def test_what_stands_nowhere_is_not_found(
        self, registry: Registry, catalogue: Catalogue, text: str
    ) -> None:
        fill(registry, 1)
        claim(registry, "shop-front")

        assert catalogue.find_instances(text=text, limit=10).total == 0
        assert catalogue.find_allocations(text=text, limit=10).total == 0

    def test_all_words_are_looked_for_however_many(self, registry: Registry, catalogue: Catalogue) -> None:
        fill(registry, 1)
        claim(registry, "shop-front")

        assert catalogue.find_instances(text="shop front op-fr 10.0 0.0 SHOP-", limit=10).total == 1
        assert catalogue.find_instances(text="shop front op-fr 10.0 0.0 nobody", limit=10).total == 0
        assert catalogue.find_allocations(text="shop front op-fr 10.0 0.0 nobody", limit=10).total == 0

    @pytest.mark.parametrize("offset", [0, 2, 4, 5, 6])
    def test_the_total_is_the_same_wherever_one_looks(
        self, registry: Registry, catalogue: Catalogue, offset: int
    ) -> None:
        fill(registry, 5)

        assert catalogue.find_instances(offset=offset, limit=2).total == 5

    def test_a_pool_of_which_none_was_ready_yet_is_known(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        fill(registry, 1, GPU)
        never = launched(registry, 0)
        registry.end(
            never,
            expect=InstanceState.BOOTING,
            to=InstanceState.TERMINATED,
            reason=EndReason.BOOT_TIMEOUT,
            now=NOW,
        )
        launched(registry, 1)

        assert not catalogue.was_ever_ready(DEFAULT_POOL)
        assert catalogue.was_ever_ready(GPU)

    @pytest.mark.parametrize("state", [InstanceState.IDLE, InstanceState.BOOTING])
    def test_that_one_was_ready_is_known_for_ever(
        self, registry: Registry, catalogue: Catalogue, state: InstanceState
    ) -> None:
        (gone,) = fill(registry, 1)
        if state is InstanceState.BOOTING:
            registry.withdraw(gone, reason="silent", now=NOW)
        registry.end(gone, expect=state, to=InstanceState.TERMINATED, reason=EndReason.VANISHED, now=NOW)

        assert catalogue.was_ever_ready(DEFAULT_POOL)

    def test_instances_on_hold_are_found_apart(self, registry: Registry, catalogue: Catalogue) -> None:
        free, held = fill(registry, 2)
        registry.hold(held, actor="ann", now=NOW)

        on_hold = catalogue.find_instances(held=True, limit=10)
        others = catalogue.find_instances(held=False, limit=10)

        assert [one.id for one in (*on_hold.items, *others.items)] == [held, free]

    def test_the_terminated_are_found_only_when_asked_for_the_last_ended_first(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        first, second = fill(registry, 2)
        for number, gone in enumerate((first, second)):
            registry.end(
                gone,
                expect=InstanceState.IDLE,
                to=InstanceState.TERMINATED,
                reason=EndReason.VANISHED,
                now=NOW + timedelta(minutes=number),
            )

        assert catalogue.find_instances(limit=10).total == 0
        gone_ones = catalogue.find_instances(state=InstanceState.TERMINATED, limit=10).items
        assert [one.id for one in gone_ones] == [second, first]

    def test_allocations_are_found_with_the_newest_first(
        self, registry: Registry, catalogue: Catalogue
    ) -> None:
        fill(registry, 3)
        for number, project in enumerate(("b", "a", "c")):
            registry.claim(DEFAULT_POOL, ProjectId(project), actor="ann", now=NOW + timedelta(minutes=number))

        found = catalogue.find_allocations(offset=1, limit=1)

        assert ([one.project for one in found.items], found.total) == (["a"], 3)

    def test_allocations_that_are_over_are_not_found(self, registry: Registry, catalogue: Catalogue) -> None:
        fill(registry, 2)
        claim(registry, "a", "b")
        registry.release(ProjectId("a"), actor="ann", now=NOW)

        assert [one.project for one in catalogue.find_allocations(limit=10).items] == ["b"]

    def test_allocations_are_found_in_one_pool(self, registry: Registry, catalogue: Catalogue) -> None:
        fill(registry, 1)
        fill(registry, 1, GPU)
        claim(registry, "a")
        claim(registry, "b", pool=GPU)

        assert [one.project for one in catalogue.find_allocations(pool=GPU, limit=10).items] == ["b"]
