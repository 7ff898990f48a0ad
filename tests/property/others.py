"""What AWS, instances, and others who act on the group may do: rules for the pool's machine."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from app.domain.errors import CloudUnavailable, Contention, Denied, OutcomeUnknown, Throttled
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, Limit, ProjectId
from app.registry.sql import SqlRegistry
from tests.fakes import FakeClock, FakeCloud, FakeProber

OPERATIONS = st.sampled_from(
    ["observe", "raise_desired", "terminate", "protect", "tag_allocation", "launch_failures"]
)
OPTIONAL = st.sampled_from(["protect", "tag_allocation", "launch_failures"])
REFUSALS = st.sampled_from([Throttled("slow down"), Contention("busy"), CloudUnavailable("no answer")])
LIMITS = st.sampled_from([Limit.CAPACITY, Limit.QUOTA, Limit.CONFIGURATION])
MOST_STRAYS = 2


class Others(RuleBasedStateMachine):
    """Rules that a pool's machine inherits."""

    registry: SqlRegistry
    clock: FakeClock
    cloud: FakeCloud
    prober: FakeProber
    handed_out: dict[InstanceId, ProjectId]

    def __init__(self) -> None:
        super().__init__()
        self.harmed_by_others: set[InstanceId] = set()
        self.tagged_by_others: set[InstanceId] = set()
        self.protection_denied = False
        self.strays = 0

    def run_passes(self, times: int, pause: int) -> None:
        raise NotImplementedError

    @rule(data=st.data())
    def lose_a_member(self, data: st.DataObject) -> None:
        if self.cloud.members:
            victim = data.draw(st.sampled_from(self.cloud.members))
            self.harmed_by_others.add(victim)
            self.cloud.kill(victim)

    @rule(data=st.data())
    def overlook_members(self, data: st.DataObject) -> None:
        """Leave some out of one look that calls itself complete. The next one has them: nothing is proved."""
        if self.cloud.members:
            self.cloud.recover("observe")
            self.cloud.overlook(*data.draw(st.sets(st.sampled_from(self.cloud.members), max_size=3)))
            self.run_passes(2, pause=data.draw(st.sampled_from([1, 31])))

    @rule(data=st.data())
    def cut_a_look_short(self, data: st.DataObject) -> None:
        if self.cloud.members:
            self.cloud.cut_short(*data.draw(st.sets(st.sampled_from(self.cloud.members))))

    @rule(looks=st.integers(1, 2))
    def show_an_old_picture(self, looks: int) -> None:
        self.cloud.lag(looks)

    @rule(operation=OPERATIONS, error=REFUSALS, times=st.integers(1, 2))
    def refuse(self, operation: str, error: Throttled | Contention | CloudUnavailable, times: int) -> None:
        self.cloud.fail(operation, error, times=times)

    @rule(operation=st.sampled_from(["raise_desired", "terminate", "tag_allocation"]), done=st.booleans())
    def lose_an_answer(self, operation: str, done: bool) -> None:
        self.cloud.fail(operation, OutcomeUnknown("no answer"), after_effect=done)

    @rule(operation=OPTIONAL, times=st.sampled_from([1, 100]))
    def deny(self, operation: str, times: int) -> None:
        self.protection_denied |= operation == "protect"
        self.cloud.fail(operation, Denied("not authorized"), times=times)

    @rule(desired=st.integers(0, 10))
    def somebody_else_sets_desired(self, desired: int) -> None:
        self.cloud.set_desired(min(max(desired, self.cloud.min_size), self.cloud.max_size))

    @rule(looks=st.sampled_from([0, 1, 4, None]))
    def change_how_long_a_boot_takes(self, looks: int | None) -> None:
        self.cloud.boot_looks = looks

    @rule(capacity=st.sampled_from([2, 4, None]), limit=LIMITS)
    def run_out_of_capacity(self, capacity: int | None, limit: Limit) -> None:
        self.cloud.run_out(capacity, limit)

    @rule(data=st.data())
    def silence_some(self, data: st.DataObject) -> None:
        """From now on only these answer: instances that are launched later do not."""
        members = self.cloud.members
        self.prober.ready = data.draw(st.sets(st.sampled_from(members))) if members else set()

    @rule()
    def let_all_answer(self) -> None:
        self.prober.ready = None

    @rule(dead=st.booleans())
    def change_whether_front_pages_open(self, dead: bool) -> None:
        self.prober.opening = set() if dead else None

    @rule(version=st.integers(1, 3))
    def change_the_launch_template(self, version: int) -> None:
        self.cloud.template = f"lt-fake:{version}"

    @rule(data=st.data(), holder=st.sampled_from(["somebody-else", "alice", "no project id", "status"]))
    def write_a_tag(self, data: st.DataObject, holder: str) -> None:
        """Somebody else begins to use an instance, and says so: not one that a project of ours has."""
        free = [one for one in self.cloud.members if one not in self.handed_out and self._is_free(one)]
        if free:
            used = data.draw(st.sampled_from(free))
            self.cloud.write_tags(used, holder, self.clock.now())
            look = self.cloud.look(used)
            if look is None or not look.protected:
                self.harmed_by_others.add(used)  # whoever lowers desired may end it before we protect it
            self.tagged_by_others.add(used)

    @rule(data=st.data())
    def find_a_member_unhealthy(self, data: st.DataObject) -> None:
        if self.cloud.members:
            victim = data.draw(st.sampled_from(self.cloud.members))
            self.harmed_by_others.add(victim)
            self.cloud.change(victim, healthy=False)

    @rule(readable=st.booleans())
    def change_whether_figures_can_be_read(self, readable: bool) -> None:
        self.cloud.figures_readable = readable

    @rule(exists=st.booleans())
    def change_whether_the_group_exists(self, exists: bool) -> None:
        self.cloud.group_exists = exists

    @precondition(lambda self: self.strays < MOST_STRAYS)
    @rule()
    def leave_a_stray(self) -> None:
        self.strays += 1
        self.cloud.stray()

    @rule(seconds=st.sampled_from([5, 31, 301]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

    def _is_free(self, instance: InstanceId) -> bool:
        record = self.registry.instances(DEFAULT_POOL).get(instance)
        return record is None or record.state in {InstanceState.BOOTING, InstanceState.IDLE}
