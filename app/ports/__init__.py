"""What the use cases need from the world, as Protocols. Every promise is written here, and tested once.

The contract tests in tests/contract/ hold each implementation, and each fake, to these docstrings.
"""

from app.ports.activity import Activity, Heard, HeartbeatReader
from app.ports.catalogue import ENDED, Catalogue, Matches, Page
from app.ports.census import Census, Listed, Listing, Survey, Watch
from app.ports.clock import Clock
from app.ports.cloud import Cloud, Preflight, TerminateOutcome
from app.ports.controls import ControlPanel
from app.ports.history import History
from app.ports.leading import Bell, Lease, Leases, Mandate, Waker
from app.ports.lifetimes import Due, Lifetimes
from app.ports.line import Line, Prospect, RequestId, Standing
from app.ports.meter import AllocationOutcome, MessageOutcome, Meter
from app.ports.outbox import Answer, Backlog, Delivery, Message, Outbox, Sender
from app.ports.presence import Presence
from app.ports.prober import Prober
from app.ports.registry import Claimed, HungUp, Registry, Unproved
from app.ports.sessions import SessionStore
from app.ports.tokens import Tokens

__all__ = [
    "ENDED",
    "Activity",
    "AllocationOutcome",
    "Answer",
    "Backlog",
    "Bell",
    "Catalogue",
    "Census",
    "Claimed",
    "Clock",
    "Cloud",
    "ControlPanel",
    "Delivery",
    "Due",
    "Heard",
    "HeartbeatReader",
    "History",
    "HungUp",
    "Lease",
    "Leases",
    "Lifetimes",
    "Line",
    "Listed",
    "Listing",
    "Mandate",
    "Matches",
    "Message",
    "MessageOutcome",
    "Meter",
    "Outbox",
    "Page",
    "Preflight",
    "Presence",
    "Prober",
    "Prospect",
    "Registry",
    "RequestId",
    "Sender",
    "SessionStore",
    "Standing",
    "Survey",
    "TerminateOutcome",
    "Tokens",
    "Unproved",
    "Waker",
    "Watch",
]
