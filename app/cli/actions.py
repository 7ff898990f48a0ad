"""What each action of a plan does and why, in one line."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import assert_never

from app.domain.actions import (
    Action,
    Adopt,
    Change,
    Discover,
    MarkInService,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Protect,
    RaiseDesired,
    Record,
    TagAllocation,
    Terminate,
    Withdraw,
)
from app.domain.model import EndReason, InstanceId, InstanceState, Known, Lifecycle, ProjectId
from app.ports import Due

_REASONS = {
    EndReason.DESTROYED: "somebody asked us to end it",
    EndReason.RELEASED: "its project was released",
    EndReason.EXPIRED: "the time of its allocation is over",
    EndReason.UNUSED: "nobody had used it for the pool's idle timeout",
    EndReason.UNCONFIRMED: "its allocation was not confirmed in time",
    EndReason.ABANDONED: "whoever waited for it hung up before the answer",
    EndReason.BOOT_TIMEOUT: "it did not become ready in time",
    EndReason.UNHEALTHY: "it stopped answering and did not recover",
    EndReason.LEFT: "AWS, or somebody at AWS, ended it",
    EndReason.VANISHED: "neither the group nor EC2 lists it any more",
}
_FEW = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One action: its name, which never changes, what it is about, and what it does in words."""

    name: str
    instances: tuple[InstanceId, ...]
    text: str
    project: ProjectId | None = None


def line(action: Action, known: Known) -> Line:
    """Tell an action, with what the registry knows of its instance."""
    match action:
        case Terminate() | Protect() | TagAllocation() | RaiseDesired():
            return _change(action, known)
        case _:
            return _record(action, known)


def due_lines(due: Due, known: Known) -> Iterator[Line]:
    """Tell what has had its time, which the leader ends by itself within a second."""
    for instance in due.holds:
        text = f"let go of {instance}, which was held for inspection: the time of the hold is over"
        yield Line("end-hold", (instance,), text, _holder(instance, known))
    for instance in due.announcements:
        text = f"announce that the allocation of {instance} ends soon"
        yield Line("announce", (instance,), text, _holder(instance, known))
    ends = (
        ("expire", due.expired, EndReason.EXPIRED),
        ("end-unconfirmed", due.unconfirmed, EndReason.UNCONFIRMED),
    )
    for name, some, reason in ends:
        for instance in some:
            text = f"end {instance}{_loss(instance, known)}: {_reason(reason)}"
            yield Line(name, (instance,), text, _holder(instance, known))


def _record(action: Record, known: Known) -> Line:
    """Tell what a pass only notes in the registry."""
    match action:
        case Discover(seen):
            state = "in service" if seen.lifecycle is Lifecycle.IN_SERVICE else "not in service yet"
            text = f"take {seen.id} into the registry as booting: a new member, {state}"
            told = Line("discover", (seen.id,), text)
        case Adopt(seen, project, since):
            holder = f"to '{project}'" if project else "to somebody unknown"
            text = f"take {seen.id} for allocated {holder} since {since:%Y-%m-%d %H:%M} UTC: its tags say so"
            told = Line("adopt", (seen.id,), text, project)
        case Withdraw(instance, reason):
            told = Line("withdraw", (instance,), f"stop offering {instance}, end nothing: {reason}")
        case MarkInService(instance, since):
            text = "is in service: its time to become ready counts" if since else "is out of service again"
            told = Line("mark-in-service", (instance,), f"note that {instance} {text}")
        case MarkMissing(instance, since):
            text = f"does not list {instance}: a second complete look must prove it" if since else ""
            text = f"note that AWS {text or f'lists {instance} again'}"
            told = Line("mark-missing", (instance,), text, _holder(instance, known))
        case MarkTerminating(instance, _, reason):
            text = f"note that {instance} is ending{_loss(instance, known)}: {_reason(reason)}"
            told = Line("mark-terminating", (instance,), text, _holder(instance, known))
        case MarkTerminated(instance, _, reason):
            text = f"note that {instance} is gone{_loss(instance, known)}: {_reason(reason)}"
            told = Line("mark-terminated", (instance,), text, _holder(instance, known))
        case _:
            assert_never(action)
    return told


def _change(action: Change, known: Known) -> Line:
    """Tell what a pass asks of AWS."""
    match action:
        case Terminate(instance):
            why = _why(instance, known)
            text = f"ask AWS to terminate {instance}, and to lower desired capacity by one with it: {why}"
            return Line("terminate", (instance,), text)
        case Protect(instances):
            text = f"protect {_some(instances)} from scale-in: a lower desired capacity must not end them"
            return Line("protect", instances, text)
        case TagAllocation(instance, project, _):
            text = f"write on {instance} that '{project}' holds it"
            return Line("tag-allocation", (instance,), text, project)
        case RaiseDesired(current, target):
            return Line("raise-desired", (), f"raise desired capacity from {current} to {target}")
        case _:
            assert_never(action)


def _why(instance: InstanceId, known: Known) -> str:
    reason = known[instance].end_reason if instance in known else None
    return _reason(reason) if reason else "it was decided earlier"


def _reason(reason: EndReason) -> str:
    """Say why; a newer version may have reasons that this one does not know."""
    return _REASONS.get(reason, f"'{reason}', as a newer version has decided")


def _holder(instance: InstanceId, known: Known) -> ProjectId | None:
    found = known.get(instance)
    return found.project if found and found.state is InstanceState.ALLOCATED else None


def _loss(instance: InstanceId, known: Known) -> str:
    project = _holder(instance, known)
    return f", and '{project}' loses it" if project else ""


def _some(instances: Collection[InstanceId]) -> str:
    few = ", ".join(list(instances)[:_FEW])
    return few if len(instances) <= _FEW else f"{few} and {len(instances) - _FEW} more"
