"""Who holds an instance by its tags, where the registry knows nothing of it or something else."""

from collections.abc import Iterator
from datetime import UTC, datetime

from app.domain.actions import Adopt
from app.domain.errors import InvalidProjectId
from app.domain.model import (
    Instance,
    InstanceState,
    Known,
    Notice,
    Observation,
    ProjectId,
    SeenInstance,
    project_id,
)

_FREE = frozenset({InstanceState.BOOTING, InstanceState.IDLE})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def adoptions(seen: Observation, known: Known, now: datetime) -> Iterator[Adopt]:
    """Take for allocated what is in use by its tags, and give it to the project that they name.

    A project holds one instance: the one the registry has, else the one it was given last. Others with its
    name on them are in use as well, by nobody we could name.
    """
    holding = {one.project for one in known.values() if one.state is InstanceState.ALLOCATED}
    tagged = [look for look in seen.staying if look.holder is not None and _adoptable(look, known)]
    for look in sorted(tagged, key=lambda look: (look.held_since or _LONG_AGO, look.id), reverse=True):
        project = _named(look)
        if project in holding:
            project = None
        if project is None and _is_allocated(known.get(look.id)):
            continue  # adopted already, and there is still nobody to give it to
        holding.add(project)
        yield Adopt(look, project, since=look.held_since or now)


def disputes(seen: Observation, known: Known) -> Iterator[Notice]:
    """Report where tags and registry disagree."""
    for look in seen.staying:
        instance = known.get(look.id)
        if look.holder is None or not _is_allocated(instance) or instance is None:
            continue
        if instance.project is None:
            yield Notice(
                code="holder-unknown",
                detail=f"{look.id} is in use by its tags ('{look.holder}'), but that names no project that "
                "could hold it, or one that holds another. It is neither handed out nor ended: destroy it "
                "when it is no longer needed.",
            )
        elif instance.project != look.holder:
            yield Notice(
                code="holder-disputed",
                detail=f"{look.id} is held by {instance.project}, and its tag names '{look.holder}'. It "
                "stays with the former, and the tag is left alone.",
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
