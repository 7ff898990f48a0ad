"""What a person may do with an instance: give it to a project, take it back, end it, keep it as it is."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import StringConstraints

from app.api.names import IN_WORDS, ONE_LINE
from app.domain.access import Role
from app.domain.errors import AllocationNotFound, InvalidBody, InvalidProjectId, PoolNotFound
from app.domain.model import (
    DEFAULT_POOL,
    Allocation,
    Instance,
    InstanceState,
    PoolName,
    ProjectId,
    project_id,
)
from app.domain.sight import Sight, sight_of
from app.ports import Catalogue
from app.service.allocation import Allocator
from app.service.status import PoolStatus, StatusReader
from app.web import facts, reading
from app.web.dashboard.flash import Said
from app.web.dashboard.questions import (
    NO_LIMIT,
    Field,
    Question,
    duration,
    facts_of,
    how_long,
    in_words,
)
from app.web.queries import SeedQuery

LONGEST_REASON = 200
_AS_BEFORE = "3600"
"""What stands in the question for whose time is limited: no limit is lost by a quick click."""

Text = Annotated[str, StringConstraints(strip_whitespace=True)]


class ProjectQuery(SeedQuery):
    """Which project."""

    project: Text = ""
    """Its id"""


class AllocateQuery(ProjectQuery):
    """Which project, and out of which pool."""

    pool: Text = ""
    """Its name; empty: `default`"""


class InstanceQuery(SeedQuery):
    """Which instance."""

    instance: Text = ""
    """Its id"""


class _Instances:
    def __init__(self, allocator: Allocator, catalogue: Catalogue, status_reader: StatusReader) -> None:
        self._allocator = allocator
        self._catalogue = catalogue
        self._status_reader = status_reader

    def _named(self) -> Instance:
        return facts.of(self._catalogue.instance(facts.instance_id(reading.query(InstanceQuery).instance)))

    def _pool(self, name: PoolName) -> PoolStatus | None:
        """Return the pool; None where it was taken out of the settings, and its instances live on."""
        try:
            return self._status_reader.pool(name)
        except PoolNotFound:
            return None

    def _when(self, one: Instance) -> list[str]:
        """Tell what has to be over before AWS terminates it."""
        told, pool = [], self._pool(one.pool)
        if one.hold is not None:
            told.append(f"{one.hold.by} holds it for inspection: it is terminated when that hold ends.")
        if pool is not None and pool.controls.paused:
            told.append("The pool is paused: it is terminated once the pool is resumed.")
        return told

    def _left(self, one: Instance) -> str:
        """Tell how many stay ready for others."""
        pool = self._pool(one.pool)
        if pool is None:
            return f"The settings name no pool {one.pool} any more: nothing takes its place."
        idle = pool.count.of(InstanceState.IDLE)
        if one.state is InstanceState.IDLE and not one.held:
            return f"{idle - 1} of {idle} idle stay in pool {one.pool}, which keeps {pool.buffer} ready."
        return f"{idle} idle stay in pool {one.pool}, which keeps {pool.buffer} ready."


class Allocate(_Instances):
    """Give an instance to a project."""

    role = Role.ALLOCATOR

    def ask(self, typed: Mapping[str, str]) -> Question:
        """See Action."""
        asked = reading.query(AllocateQuery)
        project = typed.get("project", asked.project)
        held = self._held(project)
        if held is not None:
            return self._kept(held)
        pool = self._status_reader.pool(facts.pool_name(typed.get("pool") or asked.pool or DEFAULT_POOL))
        idle, name = pool.count.of(InstanceState.IDLE), pool.config.name
        told = [
            f"It takes the one that has been idle longest. {idle - 1} of {idle} idle stay, and the buffer of "
            f"{pool.buffer} is filled up again."
            if idle
            else "Nothing is idle: it will be refused, and counted as demand. Try again in a moment then."
        ]
        if pool.controls.paused:
            told.append("The pool is paused: its buffer is not filled up until it is resumed.")
        return Question(
            title="Allocate an instance",
            told=told,
            fields=[
                Field(
                    name="project",
                    label="Project",
                    value=project,
                    hint="Letters, digits, '_' and '-'. It has one instance at most.",
                    needed=True,
                    most=63,
                ),
                *self._which_pool(name),
                self._time_limit(pool, typed),
            ],
            submit="Allocate",
            pool=name,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        project, ttl = facts.project_id(form.get("project", "").strip()), how_long(form)
        pool = facts.pool_name(form.get("pool") or reading.query(AllocateQuery).pool or DEFAULT_POOL)
        got = self._allocator.allocate(project, actor=actor, pool=pool, ttl=ttl)
        held = facts.claimed(got)
        return Said("allocated" if got.created else "kept", (held.project, held.instance))

    def _which_pool(self, name: PoolName) -> list[Field]:
        pools = [(one.config.name, one.config.name) for one in self._status_reader.pools()]
        if len(pools) == 1:
            return []
        return [Field(name="pool", label="Pool", kind="choice", value=name, choices=pools)]

    def _time_limit(self, pool: PoolStatus, typed: Mapping[str, str]) -> Field:
        policy = pool.config.terms
        usual = policy.terms().ttl
        return duration(
            "Time limit",
            "It is released then, unless it is renewed before.",
            typed.get("ttl", ""),
            none=NO_LIMIT if usual is None else f"as usual here: {in_words(usual)}",
            most=policy.max_ttl,
        )

    def _held(self, project: str) -> Allocation | None:
        try:
            return self._catalogue.allocation(project_id(project)) if project else None
        except (InvalidProjectId, AllocationNotFound):
            return None

    def _kept(self, held: Allocation) -> Question:
        return Question(
            title=f"{held.project} has an instance already",
            told=["A project has one instance at most. To get another one, it must give this one back."],
            facts=facts_of(self._catalogue.instance(held.instance)),
            pool=held.pool,
        )


class _OfProject(_Instances):
    def _project(self) -> ProjectId:
        return facts.project_id(reading.query(ProjectQuery).project)

    def _has(self, project: ProjectId) -> Instance:
        """Return what the project has, or raise AllocationNotFound."""
        return facts.of(self._catalogue.instance(self._catalogue.allocation(project).instance))


class Renew(_OfProject):
    """Say anew how long a project keeps what it has."""

    role = Role.ALLOCATOR

    def ask(self, typed: Mapping[str, str]) -> Question:
        """See Action."""
        project = self._project()
        one = self._has(project)
        pool = self._pool(one.pool)
        most = None if pool is None else pool.config.terms.max_ttl
        told = ["It lasts so long from now on, whatever was set before."]
        if one.confirm_by is not None:
            told.append("That confirms it, too.")
        if one.hold is not None:
            told.append(f"{one.hold.by} holds it for inspection: it does not end before that hold does.")
        return Question(
            title=f"Renew {project}?",
            told=told,
            facts=facts_of(one),
            fields=[
                duration(
                    "Time limit",
                    "It is released then, unless it is renewed before.",
                    typed.get("ttl", _AS_BEFORE if one.expires_at else ""),
                    none=NO_LIMIT if most is None else "",
                    most=most,
                )
            ],
            shown={"shown": sight_of(one)},
            submit="Renew it",
            pool=one.pool,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        renewed = self._allocator.renew(self._project(), how_long(form), actor=actor, expect=_shown(form))
        held = facts.of(renewed)
        return Said("renewed", (held.project, held.instance))


class Release(_OfProject):
    """Take back what a project has."""

    role = Role.ALLOCATOR

    def ask(self, _typed: Mapping[str, str]) -> Question:
        """See Action."""
        project = self._project()
        one = self._has(project)
        return Question(
            title=f"Release {project}?",
            loses=f"{one.id} will be terminated. What is on it and nowhere else is lost.",
            told=[
                *self._when(one),
                f"{project} may allocate again at once, and gets another instance.",
                self._left(one),
            ],
            facts=facts_of(one),
            shown={"shown": sight_of(one)},
            submit="Release and terminate",
            pool=one.pool,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        ended = facts.of(self._allocator.release(self._project(), actor=actor, expect=_shown(form)))
        held = self._catalogue.instance(ended.instance).held
        return Said("released-held" if held else "released", (ended.project, ended.instance))


class Destroy(_Instances):
    """End an instance, whoever has it."""

    role = Role.ADMIN

    def ask(self, _typed: Mapping[str, str]) -> Question:
        """See Action."""
        one = self._named()
        if one.state in {InstanceState.TERMINATING, InstanceState.TERMINATED}:
            return self._ended(one)
        gone = f"{one.id} will be terminated. What is on it and nowhere else is lost."
        if one.state is InstanceState.ALLOCATED:
            user = one.project or "Whoever uses it"
            gone = f"{user} loses {one.id}, which will be terminated, with what is on it and nowhere else."
        return Question(
            title=f"Terminate {one.id}?",
            loses=gone,
            told=[
                *self._when(one),
                *(() if one.state is InstanceState.ALLOCATED else ("No project has it.",)),
                self._left(one),
            ],
            facts=facts_of(one),
            shown={"shown": sight_of(one)},
            submit="Terminate the instance",
            pool=one.pool,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        one = self._named()
        ending = self._allocator.destroy(one.id, actor=actor, expect=_shown(form))
        return Said("destroyed-held" if ending.held else "destroyed", (ending.id,))

    def _ended(self, one: Instance) -> Question:
        gone = one.state is InstanceState.TERMINATED
        return Question(
            title=f"{one.id} {'has been' if gone else 'is being'} terminated already",
            told=() if gone else self._when(one),
            facts=facts_of(one),
            pool=one.pool,
        )


class Hold(_Instances):
    """Keep an instance as it is, to look at it."""

    role = Role.ADMIN

    def ask(self, typed: Mapping[str, str]) -> Question:
        """See Action."""
        one = self._named()
        told = ["Until the hold ends it is neither handed out nor replaced, released by time, or terminated."]
        match one.state:
            case InstanceState.TERMINATED:
                return Question(
                    title=f"{one.id} has been terminated already", facts=facts_of(one), pool=one.pool
                )
            case InstanceState.ALLOCATED:
                told.append(f"{one.project or 'Who uses it'} keeps it meanwhile.")
            case InstanceState.TERMINATING:
                told.append("It is ending: it can be held only if AWS was not asked to terminate it yet.")
            case _:
                told.append(f"{self._left(one)} Another one is launched in its place.")
        if one.hold is not None:
            told.append(f"{one.hold.by} holds it already. Your hold takes the place of that one.")
        return Question(
            title=f"Hold {one.id}?",
            told=told,
            facts=facts_of(one),
            fields=[
                duration("Hold for", "The hold ends by itself then.", typed.get("ttl", "")),
                Field(
                    name="reason",
                    label="Reason",
                    value=typed.get("reason", ""),
                    hint="For others: they see it beside the instance.",
                    most=LONGEST_REASON,
                ),
            ],
            submit="Hold it",
            pool=one.pool,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        one, ttl, reason = self._named(), how_long(form), form.get("reason", "").strip()
        if reason and not (len(reason) <= LONGEST_REASON and re.fullmatch(ONE_LINE, reason)):
            raise InvalidBody(f"Reason: {IN_WORDS[ONE_LINE]}, and {LONGEST_REASON} characters at most.")
        held = self._allocator.hold(one.id, actor=actor, ttl=ttl, reason=reason or None)
        return Said("held", (held.id,))


class Unhold(_Instances):
    """Let go of an instance that is held."""

    role = Role.ADMIN

    def ask(self, _typed: Mapping[str, str]) -> Question:
        """See Action."""
        one = self._named()
        if one.hold is None:
            return Question(title=f"{one.id} is not held", facts=facts_of(one), pool=one.pool)
        loses, told = "", []
        match one.state:
            case InstanceState.TERMINATING:
                loses = (
                    f"{one.id} is ending: it will be terminated, and what is on it and nowhere else is lost."
                )
            case InstanceState.ALLOCATED:
                told.append(f"{one.project or 'Who uses it'} keeps it.")
                if one.expires_at is not None:
                    told.append("Its time limit holds again: where that is over, it is released soon.")
            case _:
                told.append("It may be handed out again, or replaced where it does not answer.")
        return Question(
            title=f"Let go of {one.id}?",
            loses=loses,
            told=told,
            facts=facts_of(one),
            shown={"shown": sight_of(one)},
            submit="Let go, and terminate it" if loses else "Let go of it",
            pool=one.pool,
        )

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """See Action."""
        free = self._allocator.unhold(self._named().id, actor=actor, expect=_shown(form))
        return Said("let-go", (free.id,))


def _shown(form: Mapping[str, str]) -> Sight:
    """Return what the person was shown: without it nothing fits, and nothing is done."""
    return Sight(form.get("shown", ""))
