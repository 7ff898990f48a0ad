"""A registry as a busy pool leaves it after some weeks: many in use, more long gone, and a day of samples."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Table, insert, text

from app.domain.events import EventKind
from app.domain.history import GRAIN, KEPT, grain_of
from app.domain.model import DEFAULT_POOL, EndReason, InstanceState
from app.registry.database import open_database
from app.registry.schema import allocations, events, instances, pools, samples

GROUP = "vscode-asg"
BUFFER = 50
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
GONE_EACH = 5
"""Instances long gone for each that lives."""
EVENTS = 5_000

BOOTING, ENDING, HELD = 20, 10, 5
"""How many of the living, where a pool is busy."""
ROOM = 100_000
"""How far the group may grow."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many of the living are in which state; all others are in use."""

    idle: int = BUFFER
    booting: int = BOOTING
    ending: int = ENDING
    held: int = HELD
    """Of those in use, by an operator: for a look at what is wrong."""


BUSY = Shape()
"""Something is always on its way in and out."""


def at_rest(idle: int) -> Shape:
    """Return the shape of a pool in which nothing moves, so that its passes find nothing to do."""
    return Shape(idle=idle, booting=0, ending=0)


def populate(database: str, living: int, now: datetime, shape: Shape = BUSY) -> None:
    """Fill an empty database with a pool of so many living instances.

    The last pass was a moment ago, and idle instances count as just probed: no poller is needed for it.
    """
    engine = open_database(database)
    with engine.begin() as tx:
        _insert(tx, pools, [_pool(living, shape, now)])
        everybody = [_instance(number, living, shape, now) for number in range(living * (1 + GONE_EACH))]
        _insert(tx, instances, everybody)
        _insert(tx, allocations, [_allocation(one) for one in everybody if one["_project"]])
        _insert(tx, events, [_event(number, everybody, shape, now) for number in range(EVENTS)])
        _insert(tx, samples, list(_samples(living, now)))
        if engine.name == "postgresql":
            tx.execute(text("ANALYZE"))  # which it does by itself, a minute later
    engine.dispose()


def _insert(tx: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    tx.execute(
        insert(table),
        [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows],
    )


def _pool(living: int, shape: Shape, now: datetime) -> dict[str, Any]:
    return {
        "name": DEFAULT_POOL,
        "group_name": GROUP,
        "region": "us-east-1",
        "desired": living - shape.ending,
        "min_size": 0,
        "max_size": living + ROOM,
        "notices": [],
        "last_pass_at": now,
        "last_attempt_at": now,
    }


def _instance(number: int, living: int, shape: Shape, now: datetime) -> dict[str, Any]:
    state = _state(number, living, shape)
    age = timedelta(seconds=30 if state is InstanceState.BOOTING else 420 * number + 60)
    has_address = state is not InstanceState.BOOTING
    held = shape.idle <= number < min(shape.idle + shape.held, living)
    return {
        "id": f"i-{sha256(str(number).encode()).hexdigest()[:17]}",
        "pool": DEFAULT_POOL,
        "state": state.value,
        "state_since": now - age / 2,
        "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" if has_address else None,
        "port": 8080 if has_address else None,
        "zone": ZONES[number % len(ZONES)],
        "launched_at": now - age,
        "in_service_since": now - age + timedelta(seconds=40) if has_address else None,
        "ready_at": now + timedelta(hours=1) if state is InstanceState.IDLE else None,
        "end_reason": EndReason.RELEASED.value if state in _ENDS else None,
        "held_at": now - timedelta(minutes=5) if held else None,
        "held_by": "token:ci" if held else None,
        "hold_reason": "its disk is full, and we want to know of what" if held else None,
        "_project": f"team-{number % 40}-project-{number}" if state in _USED else None,
    }


_ENDS = {InstanceState.TERMINATING, InstanceState.TERMINATED}
_USED = {InstanceState.ALLOCATED, *_ENDS}


def _state(number: int, living: int, shape: Shape) -> InstanceState:
    if number >= living:
        return InstanceState.TERMINATED
    steps = (
        (shape.idle, InstanceState.IDLE),
        (living - shape.booting - shape.ending, InstanceState.ALLOCATED),
        (living - shape.ending, InstanceState.BOOTING),
    )
    return next((state for below, state in steps if number < below), InstanceState.TERMINATING)


def _allocation(instance: dict[str, Any]) -> dict[str, Any]:
    ended = instance["state"] in {state.value for state in _ENDS}
    return {
        "project": instance["_project"],
        "pool": DEFAULT_POOL,
        "instance_id": instance["id"],
        "allocated_at": instance["launched_at"] + timedelta(minutes=2),
        "ended_at": instance["state_since"] if ended else None,
        "end_reason": EndReason.RELEASED.value if ended else None,
        "tagged": True,
    }


def _event(number: int, everybody: list[dict[str, Any]], shape: Shape, now: datetime) -> dict[str, Any]:
    about = everybody[shape.idle + number % (len(everybody) - shape.idle)]
    return {
        "at": now - timedelta(seconds=10 * (EVENTS - number)),
        "kind": EventKind.ALLOCATION_CREATED.value,
        "pool": DEFAULT_POOL,
        "actor": f"token:ci-{number % 5}",
        "instance_id": about["id"],
        "project": about["_project"],
        "reason": None,
    }


def _samples(living: int, now: datetime) -> Iterator[dict[str, Any]]:
    """Make up a day with a morning, and a buffer that is short of its figure now and then."""
    last = int(grain_of(now).timestamp() // GRAIN.total_seconds())
    count = KEPT // GRAIN
    for number in range(count):
        used = int((living - BUFFER) * (0.7 + 0.3 * math.cos(2 * math.pi * number / count)))
        yield {
            "pool": DEFAULT_POOL,
            "grain": last - count + 1 + number,
            "idle": max(BUFFER - number % 60, 0),
            "allocated": used,
            "booting": number % 60,
            "waiting": 1 if number % 60 > BUFFER else 0,
            "buffer": BUFFER,
            "desired": used + BUFFER,
        }
