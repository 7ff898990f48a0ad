"""Who holds an instance by its tags, where the registry knows nothing of it or something else."""

from collections.abc import Iterator
from datetime import UTC, datetime

from app.domain.actions import Adopt
from app.domain.errors import InvalidProjectId
from app.domain.model import (
    Instance,
    InstanceId,
    InstanceState,
    Known,
    Notice,
    Observation,
    ProjectId,
    SeenInstance,
    project_id,
)
from app.domain.oddities import named
from app.domain.settled import Unsettled

_FREE = frozenset({InstanceState.BOOTING, InstanceState.IDLE})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def adoptions(rest: Unsettled, now: datetime) -> Iterator[Adopt]:
    """Take for allocated what is in use by its tags, and give it to the project that they name.

    A project holds one instance: the one the registry has, else the one it was given last. Others with its
    name on them are in use as well, by nobody we could name.
    """
    known = rest.known
    tagged = [look for look in rest.seen.staying if look.holder is not None and _adoptable(look, known)]
    if not tagged:
        return
    holding = {one.project for one in rest.everybody.values() if one.state is InstanceState.ALLOCATED}
    for look in sorted(tagged, key=lambda look: (look.held_since or _LONG_AGO, look.id), reverse=True):
        project = _named(look)
        if project in holding:
            project = None
        if project is None and _is_allocated(known.get(look.id)):
            continue  # adopted already, and there is still nobody to give it to
        holding.add(project)
        yield Adopt(look, project, since=look.held_since or now)


def disputes(seen: Observation, known: Known) -> Iterator[Notice]:
    """Report where tags and registry disagree: a notice a kind, and not one an instance."""
    unknown: list[InstanceId] = []
    disputed: list[InstanceId] = []
    for look in seen.staying:
        instance = known.get(look.id)
        if look.holder is None or instance is None or instance.state is not InstanceState.ALLOCATED:
            continue
        if instance.project is None:
            unknown.append(look.id)
        elif instance.project != look.holder:
            disputed.append(look.id)
    if unknown:
        yield Notice(
            code="holder-unknown",
            detail="In use by the tag of a project, which is no project id, or holds another one. Neither "
            f"handed out nor ended by us, destroy it when it is no longer needed: {named(unknown)}.",
        )
    if disputed:
        yield Notice(
            code="holder-disputed",
            detail="Held by one project, and the tag names another. It stays with the former, and the tag is "
            f"left alone: {named(disputed)}.",
        )


def _adoptable(look: SeenInstance, known: Known) -> bool:
    if look.address is None:
        return False  # nothing to give the project; it is not offered either
    instance = known.get(look.id)
    if instance is None or instance.state in _FREE:
        return True
    return _is_allocated(instance) and instance.project is None


def _is_allocated(instance: Instance | None) -> bool:
    return instance is not None and instance.state is InstanceState.ALLOCATED


def _named(look: SeenInstance) -> ProjectId | None:
    try:
        return project_id(look.holder or "")
    except InvalidProjectId:
        return None
