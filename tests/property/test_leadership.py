"""Leadership as a state machine: replicas with clocks of their own, cuts, pauses and lost answers.

Whatever happens, no two replicas ever change AWS at the same time, and no earlier term after a later one.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.domain.errors import NotLeading, RegistryUnavailable
from app.ports import Mandate
from app.service.leadership import CHANGE, TTL, Leadership
from tests.fake_clock import Stopwatch
from tests.fake_leases import CutLeases, FakeLeases

REPLICAS = st.integers(0, 2)
DRIFT = 0.01
"""How much faster or slower a replica's clock may run than the database's."""
LASTS = TTL.total_seconds()


@dataclass
class Replica:
    name: str
    way: CutLeases
    time: Stopwatch
    leadership: Leadership
    rate: float = 1.0
    terms: list[Mandate] = field(default_factory=list)
    """Every term it ever had: a thread of an old one may still run."""
    lives: int = 1


@dataclass(frozen=True)
class Change:
    """A change to AWS, as it is under way by the true time."""

    replica: str
    term: int
    ends_at: float


class Election(RuleBasedStateMachine):
    """Three replicas on one row."""

    def __init__(self) -> None:
        super().__init__()
        self.truth = Stopwatch()
        self.jumped = 0.0
        self.leases = FakeLeases(lambda: self.truth() + self.jumped)
        self.replicas = [self._replica(f"r{number}.1") for number in range(3)]
        self.under_way: list[Change] = []
        self.latest = 0

    def _replica(self, name: str) -> Replica:
        time, way = Stopwatch(), CutLeases(self.leases)
        return Replica(name, way, time, Leadership(way, replica=name, monotonic=time))

    @initialize(rates=st.lists(st.floats(1 - DRIFT, 1 + DRIFT), min_size=3, max_size=3))
    def clocks(self, rates: list[float]) -> None:
        for replica, rate in zip(self.replicas, rates, strict=True):
            replica.rate = rate

    def _pass_time(self, seconds: float, *, standing_still: Replica | None = None) -> None:
        self.truth.seconds += seconds
        for replica in self.replicas:
            if replica is not standing_still:
                replica.time.seconds += seconds * replica.rate

    @rule(seconds=st.floats(0.1, 2 * LASTS))
    def time_passes(self, seconds: float) -> None:
        self._pass_time(seconds)

    @rule(seconds=st.floats(1, 30))
    def all_do_their_work(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self._pass_time(0.5)
            for replica in self.replicas:
                self._keep(replica)

    @rule(which=REPLICAS, slow=st.floats(0, 2 * LASTS))
    def one_keeps(self, which: int, slow: float) -> None:
        """It asks, and the answer takes its time."""
        replica = self.replicas[which]
        replica.way.while_asked = lambda: self._pass_time(slow)
        self._keep(replica)
        replica.way.while_asked = lambda: None

    @rule(which=REPLICAS, cut=st.booleans(), answers_lost=st.booleans())
    def network(self, which: int, cut: bool, answers_lost: bool) -> None:
        way = self.replicas[which].way
        way.cut, way.answers_lost = cut, answers_lost

    @rule(seconds=st.integers(10, 20))
    def the_leader_is_cut_off(self, seconds: int) -> None:
        """About as long as its term lasts; changes are wanted meanwhile."""
        leading = [one for one in self.replicas if one.leadership.mandate is not None]
        for one in leading:
            one.way.cut = True
        self.all_do_their_work(seconds)
        for one in leading:
            one.way.cut = False

    @rule(which=REPLICAS, seconds=st.floats(1, 100))
    def one_stands_still(self, which: int, seconds: float) -> None:
        """And so does its clock: a paused virtual machine. The others go on."""
        still = self.replicas[which]
        for _ in range(int(seconds * 2)):
            self._pass_time(0.5, standing_still=still)
            for replica in self.replicas:
                if replica is not still:
                    self._keep(replica)

    @rule(seconds=st.floats(0, 100))
    def the_databases_clock_jumps(self, seconds: float) -> None:
        """Ahead, between two changes: what is under way then cannot be helped (see Leadership)."""
        if not self.under_way:
            self.jumped += seconds

    @rule(which=REPLICAS)
    def one_is_killed(self, which: int) -> None:
        old = self.replicas[which]
        name = f"r{which}.{old.lives + 1}"
        new = self._replica(name)
        new.lives, new.rate = old.lives + 1, old.rate
        self.replicas[which] = new

    @rule(which=REPLICAS)
    def one_ends(self, which: int) -> None:
        """It resigns once the passes in hand are over (see Poller.stop), and so are their changes."""
        ending = self.replicas[which]
        in_hand = [change.ends_at for change in self.under_way if change.replica == ending.name]
        self._pass_time(max(0.0, max(in_hand, default=0.0) - self.truth()))
        ending.leadership.resign()
        self.one_is_killed(which)

    @rule(lasts=st.floats(0.01, CHANGE), slow=st.floats(0, 5), last_first=st.booleans())
    def all_want_to_change_aws(self, lasts: float, slow: float, last_first: bool) -> None:
        """Each replica, for its newest terms: threads of an older one may still run."""
        wishes = [(one, term) for one in self.replicas for term in one.terms[-2:]]
        for replica, mandate in reversed(wishes) if last_first else wishes:
            replica.way.while_asked = lambda: self._pass_time(slow)
            try:
                mandate.confirm()
            except (NotLeading, RegistryUnavailable):
                continue
            finally:
                replica.way.while_asked = lambda: None
            self._change(replica, mandate, lasts)

    def _change(self, replica: Replica, mandate: Mandate, lasts: float) -> None:
        term = mandate.lease.term  # type: ignore[attr-defined]  # what it is here
        assert term >= self.latest, "an earlier term changes AWS after a later one has"
        self.latest = term
        self.under_way.append(Change(replica.name, term, self.truth() + lasts))
        self.never_two_writers()

    def _keep(self, replica: Replica) -> None:
        replica.leadership.keep()
        mandate = replica.leadership.mandate
        if mandate is not None and mandate not in replica.terms:
            replica.terms.append(mandate)

    @invariant()
    def never_two_writers(self) -> None:
        self.under_way = [change for change in self.under_way if change.ends_at > self.truth()]
        assert len({change.term for change in self.under_way}) <= 1

    def teardown(self) -> None:
        """Once all is well, somebody leads."""
        for replica in self.replicas:
            replica.way.cut = replica.way.answers_lost = False
        for _ in range(int(2 * LASTS) * 2):
            self._pass_time(0.5)
            for replica in self.replicas:
                self._keep(replica)
        leading = [replica for replica in self.replicas if replica.leadership.mandate is not None]
        assert len(leading) == 1
        assert self.leases.leader() is not None


TestElection = Election.TestCase
assert settings.default
# An example costs ten milliseconds, and what it looks for is rare.
TestElection.settings = settings(max_examples=5 * settings.default.max_examples)
