"""What the use cases need from the world, as Protocols. Every promise is written here, and tested once.

The contract tests in tests/contract/ hold each implementation, and each fake, to these docstrings.
"""

from app.ports.catalogue import ENDED, Catalogue, Matches, Page
from app.ports.census import Census, Survey
from app.ports.clock import Clock
from app.ports.cloud import Cloud, Preflight, TerminateOutcome
from app.ports.controls import ControlPanel
from app.ports.history import History
from app.ports.leading import Bell, Lease, Leases, Mandate, Waker
from app.ports.lifetimes import Due, Heartbeat, Lifetimes
from app.ports.line import Line, RequestId, Standing
from app.ports.meter import AllocationOutcome, Meter
from app.ports.outbox import Delivery, Message, Outbox
from app.ports.presence import Presence
from app.ports.prober import Prober
from app.ports.registry import Claimed, Registry, Unproved
from app.ports.sessions import SessionStore
from app.ports.tokens import Tokens

__all__ = [
    "ENDED",
    "AllocationOutcome",
    "Bell",
    "Catalogue",
    "Census",
    "Claimed",
    "Clock",
    "Cloud",
    "ControlPanel",
    "Delivery",
    "Due",
    "Heartbeat",
    "History",
    "Lease",
    "Leases",
    "Lifetimes",
    "Line",
    "Mandate",
    "Matches",
    "Message",
    "Meter",
    "Outbox",
    "Page",
    "Preflight",
    "Presence",
    "Prober",
    "Registry",
    "RequestId",
    "SessionStore",
    "Standing",
    "Survey",
    "TerminateOutcome",
    "Tokens",
    "Unproved",
    "Waker",
]
