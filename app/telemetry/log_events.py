"""Every log line there is: its event, and its fields. The page for users is made from it; a test compares."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["info", "warning", "error", "critical"]


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One kind of line."""

    name: str
    """It never changes."""
    levels: tuple[Level, ...]
    when: str
    """When it is written, as a clause."""
    fields: tuple[str, ...] = ()
    """All of them are on every such line; where there is nothing to tell, as null."""
    exception: bool = False
    """Whether it has a traceback."""


INFO: tuple[Level, ...] = ("info",)
WARNING: tuple[Level, ...] = ("warning",)
ERROR: tuple[Level, ...] = ("error",)

LINES: Mapping[str, str] = {
    "timestamp": "when it was written, in UTC",
    "level": "`info`, `warning`, `error` or `critical`",
    "event": "what happened",
}
"""The fields of every line, with their meaning."""

OF_A_REQUEST: Mapping[str, str] = {
    "request_id": "of the request on whose way it was written; it stands in `X-Request-ID` of the answer",
}
"""The fields of every line that is written while a request is answered."""

EXCEPTION = "exception"
"""The field with the traceback."""

EVENTS: Mapping[str, tuple[LogEvent, ...]] = {
    "Requests": (
        LogEvent(
            "request.finished",
            INFO,
            "a request was answered; health checks, scrapes, and what an open dashboard asks for by itself "
            "are told only where the answer is 400 or above",
            (
                *("method", "path", "route", "status", "ms", "address", "actor"),
                *("pool", "project", "instance", "outcome", "code"),
            ),
        ),
        LogEvent(
            "request.refused",
            WARNING,
            "what came could not be read as HTTP",
            ("status", "detail", "address"),
        ),
        LogEvent(
            "request.abandoned",
            INFO,
            "a client hung up while its request waited in line: it leaves neither a place nor an allocation",
            ("pool", "project", "waited_seconds"),
        ),
        LogEvent("request.crashed", ERROR, "a request met a bug, and was answered 500", exception=True),
        LogEvent(
            "registry.unavailable",
            ERROR,
            "the database did not answer, and a request was refused with 503",
            ("cause",),
        ),
        LogEvent(
            "access.refused",
            WARNING,
            "somebody came with a token that is not good",
            ("address", "reason", "token", "token_id"),
        ),
        LogEvent("session.opened", INFO, "somebody logged in to the dashboard", ("actor", "address")),
    ),
    "Time limits": (
        LogEvent(
            "limits.kept",
            INFO,
            "allocations or holds had had their time, or an end was announced: how many of each, and for how "
            "many something was in the way",
            ("pool", "announced", "expired", "unconfirmed", "holds_ended", "failed"),
        ),
        LogEvent(
            "limits.crashed",
            ERROR,
            "a bug stopped what ends allocations and holds by time; told once until it works again",
            ("pool",),
            exception=True,
        ),
    ),
    "Passes": (
        LogEvent(
            "pass.finished",
            INFO,
            "a pass looked at AWS, and did what there was to do; one line a pass",
            (
                *("pool", "found", "idle", "used", "booting", "terminating", "held", "waiting", "desired"),
                *("scaling", "limited_by", "actions", "failed", "ms"),
            ),
        ),
        LogEvent(
            "pass.failed",
            ("warning", "error"),
            "a pass could not look at AWS, or refused what it saw (warnings), or could not use the database "
            "(an error); the next one tries again",
            ("pool", "code", "detail"),
        ),
        LogEvent(
            "pass.put_off",
            INFO,
            "our own budget of AWS calls was used up, and the rest of a pass follows when there is room; "
            "told once until a pass gets through",
            ("pool", "detail"),
        ),
        LogEvent(
            "pass.abandoned",
            WARNING,
            "this replica may lead no more, and left a pass where it was",
            ("pool", "detail"),
        ),
        LogEvent("pass.crashed", ERROR, "a pass met a bug", ("pool",), exception=True),
        LogEvent(
            "action.failed",
            WARNING,
            "AWS refused one step of a pass; the others were done",
            ("pool", "action", "instance", "code", "detail"),
        ),
        LogEvent(
            "poller.slowed",
            WARNING,
            "AWS throttles us, and the next pass waits longer",
            ("pool", "seconds"),
        ),
        LogEvent(
            "capacity.moved",
            WARNING,
            "somebody else changed desired capacity",
            ("pool", "before", "after"),
        ),
        LogEvent(
            "instance.leaked",
            WARNING,
            "an instance runs that has left the group: nobody ends it but you",
            ("pool", "instance"),
        ),
        LogEvent(
            "permission.denied",
            WARNING,
            "AWS denied something that the pool does without; it is tried again every five minutes",
            ("pool", "feature", "detail"),
        ),
        LogEvent(
            "activities.unread",
            WARNING,
            "AWS did not say why instances are missing",
            ("pool", "code", "detail"),
        ),
        LogEvent(
            "setup.warning",
            WARNING,
            "something about the group, its launch template or our permissions is not as it should be",
            ("pool", "check", "detail", "remedy"),
        ),
        LogEvent("probes.crashed", ERROR, "asking the instances met a bug", ("pool",), exception=True),
        LogEvent(
            "activity.unused",
            INFO,
            "allocations were ended because nobody had used them for the idle timeout",
            ("pool", "ended"),
        ),
        LogEvent(
            "activity.crashed",
            ERROR,
            "asking allocated instances when they were last used met a bug; told once until it works again",
            ("pool",),
            exception=True,
        ),
        LogEvent("examination.crashed", ERROR, "examining the set-up met a bug", ("pool",), exception=True),
        LogEvent(
            "samples.crashed",
            ERROR,
            "noting figures for the dashboard's chart met a bug; told once until it works again",
            exception=True,
        ),
    ),
    "Webhook": (
        LogEvent(
            "webhook.failing",
            WARNING,
            "a message was not taken; told once until one is taken again",
            ("message", "kind", "detail"),
        ),
        LogEvent("webhook.working", INFO, "a message was taken again"),
        LogEvent("webhook.gave_up", ERROR, "a message was given up", ("message", "kind", "detail")),
        LogEvent(
            "webhook.too_old",
            ERROR,
            "messages were given up because of their age, or of their number",
            ("messages",),
        ),
        LogEvent(
            "webhook.crashed",
            ERROR,
            "sending messages met a bug; told once until it works again",
            exception=True,
        ),
    ),
    "Leadership": (
        LogEvent("leadership.taken", INFO, "this replica leads from now on", ("term", "replica")),
        LogEvent("leadership.resigned", INFO, "it ended its term, because it ends itself", ("term",)),
        LogEvent(
            "leadership.lost",
            WARNING,
            "its term is over: another has begun, or it could not be ended properly",
            ("term", "detail"),
        ),
        LogEvent(
            "leadership.suspended",
            WARNING,
            "the leader lost touch with its database, and does nothing until it is back",
            ("term", "detail"),
        ),
        LogEvent("leadership.resumed", INFO, "it is back, in the same term", ("term",)),
        LogEvent(
            "leadership.unheard",
            WARNING,
            "a replica that does not lead lost touch with its database; told once",
            ("detail",),
        ),
        LogEvent(
            "leadership.stuck",
            WARNING,
            "no pass of any pool succeeded for two minutes, and the leader lets another replica try",
            ("detail",),
        ),
        LogEvent("leadership.crashed", ERROR, "seeing to leadership met a bug", exception=True),
        LogEvent(
            "bell.lost",
            WARNING,
            "word between replicas (PostgreSQL's NOTIFY) does not come through; passes run all the same",
            ("detail",),
        ),
        LogEvent(
            "roll_call.crashed",
            ERROR,
            "telling the others that this replica is there met a bug; told once until it works again",
            exception=True,
        ),
    ),
    "The process": (
        LogEvent(
            "settings.warning",
            WARNING,
            "at the start: a setting, or what the database shows of the settings, should be known",
            ("detail",),
        ),
        LogEvent(
            "poller.started",
            INFO,
            "`scheduler.py` began to look after a pool",
            ("pool", "group", "region"),
        ),
        LogEvent("poller.stopped", INFO, "`scheduler.py` has finished, and ends"),
        LogEvent(
            "metrics.unserved",
            WARNING,
            "`scheduler.py` cannot serve its metrics where `ORCHESTRATOR_METRICS_BIND` says, and goes on "
            "without; once that is mended, restart it",
            ("bind", "detail"),
        ),
        LogEvent(
            "metrics.scattered",
            ERROR,
            "somebody removed the folder in which the workers count: until a reload (SIGHUP) or restart, "
            "`/metrics` has the counts of the one worker that answers; told once by each",
            ("folder",),
        ),
        LogEvent(
            "library.message",
            ("info", "warning", "error", "critical"),
            "a library had something to say: gunicorn about its processes, botocore, Python's own warnings; "
            "`exception` is there as well where it told one",
            ("logger", "detail"),
        ),
        LogEvent("thread.crashed", ERROR, "a thread ended by a bug", ("thread",), exception=True),
        LogEvent("process.crashed", ("critical",), "a process ended by a bug", exception=True),
    ),
    "The simulated cloud": (
        LogEvent(
            "aws.failed", ERROR, "it met a bug, and answered as AWS does then", ("action", "params"), True
        ),
        LogEvent("hypervisor.failed", ERROR, "its instances could not be moved on", (), True),
        LogEvent(
            "worker.failed", WARNING, "the page of an instance could not be served", ("instance", "reason")
        ),
    ),
}
"""All events, by what they tell of."""

FIELDS: Mapping[str, str] = {
    "action": "the kind of step, for example `Terminate`; in the simulated cloud the AWS action",
    "actions": "how many steps the pass had to do",
    "actor": "`token:NAME`, `admin` or `anonymous`; null where nobody was asked, or the token was refused",
    "address": "IP address of the client: behind proxies as `ORCHESTRATOR_PROXY_HOPS` has it",
    "after": "desired capacity as it is now",
    "announced": "allocations whose end was announced",
    "before": "desired capacity as we left it",
    "bind": "`HOST:PORT`, as it is set",
    "booting": "instances that boot",
    "cause": "the database driver's error",
    "check": "what was examined, as in `ec2-orchestrator doctor`",
    "code": "of the error, see [errors](errors.md); of a refused look, see [warnings](warnings.md)",
    "desired": "desired capacity as the pass found it; null where it could not be read",
    "detail": "what happened, in words: for people, they may change",
    "ended": "allocations that were ended",
    "expired": "allocations whose time was over, ended by that",
    "failed": "how many of its steps AWS refused",
    "feature": "what is done without: `tags`, `protection` or `activities`",
    "folder": "its path",
    "found": "members of the group that the look found",
    "group": "the Auto Scaling group",
    "held": "instances that are held for inspection",
    "holds_ended": "holds whose time was over",
    "idle": "instances that may be handed out",
    "instance": "the EC2 instance id",
    "kind": "what a message tells, `allocation.created`",
    "limited_by": "why the buffer cannot be met, see [warnings](warnings.md); null: it can",
    "logger": "the library's name for who speaks: `gunicorn.error`, `py.warnings`",
    "message": "its id, which the receiver knows as `webhook-id`",
    "messages": "how many",
    "method": "of HTTP",
    "ms": "how long it took, in milliseconds; with a request that waited in line, the wait is in it",
    "outcome": "of a request for an instance: `warm` (one was idle), `waited` (in line, and got one), "
    "`repeated` (the project held one already), `empty` (it got none); null for all others",
    "params": "what the call asked for",
    "path": "of the request, without its query",
    "pool": "the pool's name",
    "project": "the project's id",
    "reason": "why: a token is `malformed`, `mistyped`, `unknown` or `expired`",
    "region": "the AWS region",
    "remedy": "how to mend it",
    "replica": "the process that leads: host, process id, and a word by chance",
    "route": "the path's pattern, as in `/v1/allocations/{project}`; `unmatched` where there is no such page",
    "scaling": "`10 -> 13` where the pass raised desired capacity; null where it did not",
    "seconds": "from the start of this pass to the next",
    "status": "of the answer",
    "term": "the number of the term",
    "terminating": "instances that end",
    "thread": "its name",
    "token": "the name of the token that was refused; null where it has none that we know",
    "token_id": "its public part; null where it has none",
    "unconfirmed": "allocations that nobody confirmed in time, ended by that",
    "used": "instances that projects hold",
    "waited_seconds": "how long the request waited in line, in seconds",
    "waiting": "projects that found nothing idle lately, and still count as demand",
}
"""What the fields mean: one meaning each, wherever they stand."""


def all_events() -> Iterator[LogEvent]:
    """Return every event."""
    for some in EVENTS.values():
        yield from some
