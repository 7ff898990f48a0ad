"""What a group's scaling activities tell of launches that failed: pure functions that raise on no answer.

Rests on the shape Activity of the Auto Scaling API reference, and on the user guide's chapter "Troubleshoot
Amazon EC2 Auto Scaling: EC2 instance launch failures". AWS gives no code for the reason: it stands in the
sentence alone.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from app.aws.translate import Answer
from app.domain.model import Limit
from app.domain.setbacks import LaunchFailure

MOST = 100
"""Failures read at once. A group tries again every few minutes at most, so that these go back far enough."""

FAILED = ("Failed", "Cancelled")

_NOT_A_FAILURE = ("userinitiatedshutdown", "user initiated shutdown")
"""Somebody ended the instance while it booted: AWS could launch it."""

_REASONS: tuple[tuple[Limit, tuple[str, ...]], ...] = (
    (
        Limit.QUOTA,
        (
            "vcpu capacity than your current vcpu limit",
            "vcpulimitexceeded",
            "current instance limit",
            "instancelimitexceeded",
            "instance(s) are already running",
            "max spot instance count exceeded",
            "maxspotinstancecountexceeded",
            "volumelimitexceeded",
        ),
    ),
    (
        Limit.CAPACITY,
        (
            "do not have sufficient",
            "insufficient capacity",
            "insufficientinstancecapacity",
            "insufficientcapacity",
            "insufficienthostcapacity",
            "no spot capacity available",
            "unfulfillablecapacity",
            "spotinstancetermination",
            # AWS's own trouble, and it passes as a shortage does: nothing in our set-up would mend it.
            "server.internalerror",
        ),
    ),
)
"""Words in AWS's sentence, in lower case, and what they mean. Every other sentence is CONFIGURATION.

Shortages and quotas are few, and AWS writes them in few ways. All other sentences that its guide lists
("does not exist", "is not supported", "Invalid ...", "Client.InternalError: Client error on launch") name
something in the set-up that only a person can mend: most likely, so does a sentence nobody has thought of.
If it does not, little is lost: desired capacity stays where it is, above what AWS could launch, the group
goes on trying by itself, and the sentence is shown.
"""


def launch_failures(answers: Iterable[Answer]) -> list[LaunchFailure]:
    """Return the launches that failed, the newest first, of any activities.

    What was ended by somebody while it booted is no failure, and neither is what was to launch nothing: a
    scale-in that found every member protected is cancelled as well.
    """
    return sorted(_failures(answers), key=lambda failure: failure.at, reverse=True)


def reason(sentence: str) -> Limit:
    """Class AWS's sentence."""
    words = sentence.lower()
    return next(
        (limit for limit, parts in _REASONS if any(part in words for part in parts)), Limit.CONFIGURATION
    )


def _failures(answers: Iterable[Answer]) -> Iterator[LaunchFailure]:
    for answer in answers:
        started = answer.get("StartTime")
        if not isinstance(started, datetime) or answer.get("StatusCode") not in FAILED:
            continue
        if not str(answer.get("Description", "")).lower().startswith("launching"):
            continue
        sentence = _sentence(answer)
        if any(part in sentence.lower() for part in _NOT_A_FAILURE):
            continue
        yield LaunchFailure(
            limit=reason(sentence), message=sentence, at=started.astimezone(UTC), zone=_zone(answer)
        )


def _sentence(answer: Answer) -> str:
    """Return AWS's own sentence on one line; where it is missing, the description, which repeats it."""
    return " ".join(str(answer.get("StatusMessage") or answer.get("Description")).split())


def _zone(answer: Answer) -> str | None:
    """Read the zone from the details, which are JSON in a string; None where they do not tell."""
    try:
        details = json.loads(answer.get("Details") or "")
    except (TypeError, ValueError):
        return None
    zone = details.get("Availability Zone") if isinstance(details, dict) else None
    return zone if isinstance(zone, str) and zone else None
