"""What ends for lack of use was really unused: whatever people, clocks, servers and leaders do.

The instance is code-server's heart as the simulated cloud has it, with a clock of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.activity import Heartbeat, Usage, learn
from app.domain.limits import LATE, notice
from app.domain.terms import TermsPolicy, lead
from app.simulator.heart import ALIVE_MS, Heart
from tests.builders import NOW

GRAIN = ALIVE_MS // 1000
"""Seconds by which a use may be later than the heartbeat that tells of it."""
EXACT = 3
"""Seconds by which the times of this test may be off: the instance tells its own in whole seconds."""


@dataclass
class World:
    """One allocation, the person who may use it, and a leader who asks every now and then."""

    terms: TermsPolicy
    seconds: int = 0
    offset: int = 0
    """By how much the instance's clock is ahead of the database's, in seconds."""
    shifted: int = 0
    """By how much it was set in steps that are too small to be noticed."""
    tab_open: bool = False
    answers: bool = True
    dated: bool = True
    usage: Usage = field(default_factory=lambda: Usage(allocated_at=NOW))
    heard_at: int | None = None
    used_at: int | None = None
    """When it was really used last."""
    told: int | None = None
    """When it ends, as was announced last."""
    announced_at: int | None = None
    ended_at: int | None = None

    def __post_init__(self) -> None:
        self.heart = Heart(self._clock_ms)
        self.heart.beat()  # its front page was opened once, before it was handed out
        self.seconds = 5
        self.usage = Usage(allocated_at=NOW + timedelta(seconds=5))

    def _clock_ms(self) -> int:
        return 1_700_000_000_000 + (self.seconds + self.offset) * 1000

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.seconds += 1
            if self.tab_open:
                self.used_at = self.seconds
            self.heart.look(connections=int(self.tab_open))

    def open_tab(self) -> None:
        self.tab_open = True
        self.visit()

    def close_tab(self) -> None:
        self.tab_open = False

    def visit(self) -> None:
        self.used_at = self.seconds
        self.heart.beat()

    def restart(self) -> None:
        self.heart = Heart(self._clock_ms)
        if self.tab_open:
            self.visit()  # it connects anew

    def set_clock(self, seconds: int) -> None:
        """Set it, but not before it was first asked: until then nothing tells a step from a use.

        And not back and forth: the server notes no use while its clock is behind what it noted last, and if
        it then leaps ahead, nothing tells that there was such a time.
        """
        self.ask()
        if self.usage.heartbeat is not None and self.offset * seconds >= 0:
            self.offset += seconds
            self.shifted += abs(seconds) if abs(seconds) < GRAIN else 0

    def toggle_answers(self) -> None:
        self.answers = not self.answers

    def toggle_date(self) -> None:
        self.dated = not self.dated

    def toggle_hold(self) -> None:
        self.usage = replace(self.usage, spared=not self.usage.spared)

    def another_leads(self) -> None:
        self.heard_at = None

    def ask(self) -> None:
        """What the leader does with one instance in one round."""
        if not self.answers or self.ended_at is not None:
            return
        heartbeat = Heartbeat(last=self.heart.last_ms, now=self._clock_ms() if self.dated else None)
        since = 0 if self.heard_at is None else self.seconds - self.heard_at
        insight = learn(
            self.usage,
            heartbeat,
            unheard_for=timedelta(seconds=since),
            terms=self.terms,
            now=NOW + timedelta(seconds=self.seconds),
        )
        before, self.usage, self.heard_at = self.usage, insight.usage, self.seconds
        self._check_times(before)
        if insight.ends_at is not None:
            self.announced_at = self.seconds
            self.told = (insight.ends_at - NOW) // timedelta(seconds=1)
        if insight.over:
            self._check_end()
            self.ended_at = self.seconds

    def _check_times(self, before: Usage) -> None:
        last = self.usage.last_activity_at
        if before.last_activity_at is not None:
            assert last is not None
            assert last >= before.last_activity_at
        if last is not None:
            assert before.allocated_at <= last <= NOW + timedelta(seconds=self.seconds)

    def _check_end(self) -> None:
        timeout = self.terms.idle_timeout
        assert timeout is not None
        assert not self.usage.spared
        assert self.used_at is not None, "nobody ever used it"
        unused = self.seconds - self.used_at
        assert unused >= timeout.total_seconds() - GRAIN - EXACT - self.shifted
        assert self.announced_at is not None
        assert self.told is not None
        ahead = notice(lead(timeout, self.terms.warning)).total_seconds()
        assert self.seconds >= self.told
        assert self.seconds - self.told <= LATE.total_seconds()
        assert self.seconds - self.announced_at >= ahead - 1
        assert self.used_at <= self.announced_at


STEPS: tuple[Callable[[World], object], ...] = (
    World.open_tab,
    World.close_tab,
    World.visit,
    World.restart,
    World.toggle_answers,
    World.toggle_date,
    World.toggle_hold,
    World.another_leads,
    lambda world: world.set_clock(7),
    lambda world: world.set_clock(-7),
    lambda world: world.set_clock(-90),
    lambda world: world.set_clock(4000),
    lambda world: world.set_clock(-4000),
)

timeouts = st.sampled_from([120, 300, 1000])
warnings = st.sampled_from([10, 60, 600])
lives = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 400)), max_size=30)


def policy(timeout: int, warning: int) -> TermsPolicy:
    return TermsPolicy(idle_timeout=timedelta(seconds=timeout), warning=timedelta(seconds=warning))


def live(world: World, seconds: int) -> None:
    """Let time pass, and the leader ask twice a minute."""
    for _ in range(seconds // 30):
        world.pass_time(30)
        world.ask()
    world.pass_time(seconds % 30)


@given(timeouts, warnings, lives)
def test_nothing_in_use_ends_and_nothing_ends_unannounced(
    timeout: int, warning: int, life: list[tuple[Callable[[World], object], int]]
) -> None:
    world = World(policy(timeout, warning))
    for step, seconds in life:
        step(world)
        live(world, seconds)


@given(timeouts, warnings, st.integers(0, 300), st.integers(0, 600))
def test_what_was_used_and_is_left_ends_soon_after_its_time(
    timeout: int, warning: int, before: int, used_for: int
) -> None:
    world = World(policy(timeout, warning))
    live(world, before + GRAIN + 1)  # a use within the first minute may not be told: see GRAIN
    world.open_tab()
    live(world, used_for)
    world.close_tab()

    live(world, timeout + GRAIN + 120)

    assert world.ended_at is not None


@given(timeouts, lives)
def test_what_nobody_ever_used_never_ends(
    timeout: int, life: list[tuple[Callable[[World], object], int]]
) -> None:
    world = World(policy(timeout, 60))
    for step, seconds in life:
        if step not in {World.open_tab, World.visit}:
            step(world)
        live(world, seconds)

    live(world, 5000)

    assert world.ended_at is None
