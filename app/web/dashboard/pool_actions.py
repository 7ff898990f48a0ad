"""What a person may do with a pool: pause it, resume it, say how many idle instances it keeps."""

from collections.abc import Mapping

from app.domain.access import Role
from app.domain.controls import MOST_BUFFER, Change
from app.domain.errors import InvalidBody
from app.domain.model import DEFAULT_POOL, InstanceState, PoolName
from app.service.operator import Operator
from app.service.status import PoolStatus, StatusReader
from app.web import facts, reading
from app.web.dashboard import words
from app.web.dashboard.flash import Said
from app.web.dashboard.questions import Fact, Field, Question
from app.web.queries import SeedQuery

_AS_CONFIGURED = "as_configured"
_DIGITS = 9
_MEANWHILE = (
    "Projects still get what is idle, and give it back. What they give back runs on, and costs on, until the "
    "pool is resumed."
)
_MORE = "More: instances are launched, up to the max size of the group, and cost money while they wait."
_FEWER = "Fewer: nothing is terminated. Those that are too many stay until projects take them."


class PoolQuery(SeedQuery):
    """Which pool."""

    pool: str = DEFAULT_POOL
    """Its name"""


class _Pools:
    def __init__(self, operator: Operator, status_reader: StatusReader) -> None:
        self._operator = operator
        self._status_reader = status_reader

    def _named(self) -> PoolStatus:
        return self._status_reader.pool(_name())

    def _change(self, change: Change, form: Mapping[str, str], actor: str) -> None:
        """Change what was shown; VersionChanged where somebody else changed it since."""
        version = form.get("version", "")
        expect = {int(version)} if version.isascii() and version.isdigit() and len(version) <= _DIGITS else ()
        self._operator.change(_name(), change, expect=expect, actor=actor)


class Pause(_Pools):
    """Leave AWS alone."""

    role = Role.ADMIN

    def ask(self, _typed: Mapping[str, str]) -> Question:
        """See Action."""
        pool = self._named()
        name, idle = pool.config.name, pool.count.of(InstanceState.IDLE)
        if pool.controls.paused:
            return Question(title=f"Pool {name} is paused already", facts=_facts(pool), pool=name)
        return Question(
            title=f"Pause pool {name}?",
            loses="Nothing is launched, replaced or terminated at AWS until it is resumed: "
            + (f"when the {idle} idle are taken, projects get nothing." if idle else "projects get nothing."),
            told=[_MEANWHILE],
            facts=_facts(pool),
            shown=_version(pool),
            submit="Pause it",
            pool=name,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        self._change(Change(paused=True), form, actor)
        return Said("paused", (_name(),))


class Resume(_Pools):
    """Look after a pool again."""

    role = Role.ADMIN

    def ask(self, _typed: Mapping[str, str]) -> Question:
        """See Action."""
        pool = self._named()
        name, ending = pool.config.name, pool.count.of(InstanceState.TERMINATING)
        if not pool.controls.paused:
            return Question(title=f"Pool {name} is not paused", facts=_facts(pool), pool=name)
        told = [
            "What had to wait is done at once: the buffer is filled up, and what is ending is terminated."
        ]
        if pool.controls.paused_by:
            told.append(f"{pool.controls.paused_by} paused it: do you know why?")
        return Question(
            title=f"Resume pool {name}?",
            loses=f"{ending} ending will be terminated." if ending else "",
            told=told,
            facts=_facts(pool),
            shown=_version(pool),
            submit="Resume it",
            pool=name,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        self._change(Change(paused=False), form, actor)
        return Said("resumed", (_name(),))


class SetBuffer(_Pools):
    """Say how many idle instances are kept ready."""

    role = Role.ADMIN

    def ask(self, typed: Mapping[str, str]) -> Question:
        """See Action."""
        pool = self._named()
        name, configured = pool.config.name, pool.config.buffer
        other = None
        if pool.controls.buffer is not None:
            other = (_AS_CONFIGURED, "yes", f"Back to the {configured} of the settings")
        return Question(
            title=f"Change the buffer of pool {name}?",
            told=[_MORE, _FEWER],
            facts=[*_facts(pool), ("In the settings", str(configured))],
            fields=[
                Field(
                    name="buffer",
                    label="Idle instances to keep ready",
                    kind="number",
                    value=typed.get("buffer", str(pool.buffer)),
                    needed=True,
                    most=MOST_BUFFER,
                )
            ],
            shown=_version(pool),
            submit="Change the buffer",
            other=other,
            pool=name,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        if form.get(_AS_CONFIGURED):
            self._change(Change(as_configured=True), form, actor)
            return Said("buffer", (_name(), str(self._named().buffer)))
        buffer = _number(form.get("buffer", "").strip())
        self._change(Change(buffer=buffer), form, actor)
        return Said("buffer", (_name(), str(buffer)))


def _name() -> PoolName:
    return facts.pool_name(reading.query(PoolQuery).pool)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= MOST_BUFFER):
        raise InvalidBody(f"The buffer is a whole number from 0 to {MOST_BUFFER}.")
    return int(text)


def _version(pool: PoolStatus) -> dict[str, str]:
    return {"version": str(pool.controls.version)}


def _facts(pool: PoolStatus) -> list[Fact]:
    """Tell what a person should know of a pool before changing it."""
    count, group = pool.count, pool.view.group
    facts = [
        ("Pool", pool.config.name),
        ("Idle", f"{count.of(InstanceState.IDLE)} of {pool.buffer} wanted"),
        ("In use", str(count.of(InstanceState.ALLOCATED))),
        ("Booting", str(count.of(InstanceState.BOOTING))),
        ("Ending", str(count.of(InstanceState.TERMINATING))),
        ("Waiting projects", str(pool.waiting)),
    ]
    if group.max_size is not None:
        facts.append(("Max size of the group", str(group.max_size)))
    if pool.controls.paused_at is not None:
        facts += [
            ("Paused", words.time(pool.controls.paused_at)),
            ("By", pool.controls.paused_by or "not known"),
        ]
    return facts
