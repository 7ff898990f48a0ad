"""For load balancers."""

from app.api.base import Answer
from app.api.seed import Leader


class Alive(Answer):
    """The process serves."""

    status: str
    """`ok`"""


class Check(Answer):
    """One thing that the service needs to do its work."""

    passed: bool
    """Whether it is so"""
    detail: str
    """How it is, or why not"""


class Ready(Answer):
    """The service does its work."""

    status: str
    """`ready`"""
    checks: dict[str, Check]
    """By name"""
    last_pass_age_seconds: float | None
    """Since AWS was last looked at with success"""
    replica: str
    """The process that answers"""
    leader: Leader | None
    """Who runs the passes; null: nobody at the moment"""
