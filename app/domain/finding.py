"""A line of the doctor's report: what was looked at, what was found, how to mend it."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.model import PoolName


class Verdict(StrEnum):
    """How a check of the set-up ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, but something may go wrong that need not."""
    FAILURE = "failure"
    """The service cannot do its job like this."""
    UNKNOWN = "unknown"
    """It could not be found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a doctor's report."""

    check: str
    """What was looked at, in a few words."""
    verdict: Verdict
    detail: str
    """What was found, in a sentence."""
    remedy: str = ""
    """How to mend it, in a sentence or as a command; empty where nothing needs mending."""
    pool: PoolName | None = None
    """The pool it is about; None where it is about them all."""
