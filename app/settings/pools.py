"""Pools: what each is set to, and the file that names several.

Without a file there is one pool, `default`, and the environment's settings are its own.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from app.domain.controls import MOST_BUFFER
from app.domain.errors import InvalidPoolName
from app.domain.model import DEFAULT_POOL, Policy, PoolName, pool_name
from app.domain.terms import WARNING, TermsPolicy

MOST_POOLS = 20
"""Each has threads, and connections to the database, of its own. And where all are in one region, each has a
twentieth of what AWS is asked there: five calls at once, which is a look, a raise, and two looks after it."""

AddressKind = Literal["public", "private"]
ReadinessKind = Literal["http", "tcp", "off"]

AnyName = Annotated[str, Field(min_length=1)]
Buffer = Annotated[int, Field(ge=0, le=MOST_BUFFER)]
Port = Annotated[int, Field(ge=1, le=65535)]
UrlPath = Annotated[str, Field(pattern=r"^/\S*$")]
BootTimeout = Annotated[float, Field(ge=1, le=86_400)]
LONGEST = 366 * 24 * 3600
"""The longest time that can be set for an allocation, in seconds: a year."""
MaybeSeconds = Annotated[float, Field(ge=0, le=LONGEST)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """One pool: its Auto Scaling group, and what we want of it."""

    name: PoolName
    group: str
    region: str
    buffer: int
    address: AddressKind
    port: int
    readiness: ReadinessKind
    readiness_path: str
    boot_timeout: float
    """In seconds, like the following; of these 0 means: none."""
    default_ttl: float = 0
    max_ttl: float = 0
    confirm_within: float = 0
    idle_timeout: float = 0
    expiry_warning: float = WARNING.total_seconds()
    file: str | None = None
    """Where it is set; None: in the environment."""

    @property
    def policy(self) -> Policy:
        """What these settings want of the pool."""
        return Policy(
            pool=self.name,
            buffer=self.buffer,
            port=self.port,
            boot_timeout=timedelta(seconds=self.boot_timeout),
        )

    @property
    def terms(self) -> TermsPolicy:
        """What these settings want of the pool's allocations."""
        return TermsPolicy(
            default_ttl=_some(self.default_ttl),
            max_ttl=_some(self.max_ttl),
            confirm_within=_some(self.confirm_within),
            idle_timeout=_some(self.idle_timeout),
            warning=timedelta(seconds=self.expiry_warning),
        )

    def place(self, key: str) -> str:
        """Tell a person where one of these is set, by its key in the file."""
        return VARIABLES[key] if self.file is None else f"pools.{self.name}.{key} in {self.file}"


def _some(seconds: float) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None


class PoolEntry(BaseModel):
    """What the file may say of a pool; what it leaves out is as the environment has it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    group: AnyName
    """Name of the Auto Scaling group"""
    region: AnyName | None = None
    """Region of the group"""
    buffer: Buffer | None = None
    """Idle instances to keep ready"""
    address: AddressKind | None = None
    """Which address of an instance is handed out and probed: `public` or `private`"""
    port: Port | None = None
    """Port of VSCode Server on an instance"""
    readiness: ReadinessKind | None = None
    """What an instance must pass before it is idle: `http`, `tcp` or `off`"""
    readiness_path: UrlPath | None = None
    """Path of the http probe"""
    boot_timeout: BootTimeout | None = None
    """Seconds an instance may take to become ready before it is replaced"""
    default_ttl: MaybeSeconds | None = None
    """Seconds that an allocation lasts where none are asked for; 0: until somebody ends it"""
    max_ttl: MaybeSeconds | None = None
    """The most seconds that can be asked for at once; 0: any"""
    confirm_within: MaybeSeconds | None = None
    """Seconds within which an allocation must be confirmed where none are asked for; 0: it need not be"""
    idle_timeout: MaybeSeconds | None = None
    """Seconds an allocation may be unused before it is released; 0: any"""


VARIABLES: Mapping[str, str] = {
    "group": "ORCHESTRATOR_ASG_NAME",
    "region": "AWS_REGION",
    "buffer": "ORCHESTRATOR_BUFFER",
    "address": "ORCHESTRATOR_ADDRESS",
    "port": "ORCHESTRATOR_INSTANCE_PORT",
    "readiness": "ORCHESTRATOR_READINESS",
    "readiness_path": "ORCHESTRATOR_READINESS_PATH",
    "boot_timeout": "ORCHESTRATOR_BOOT_TIMEOUT",
    "default_ttl": "ORCHESTRATOR_DEFAULT_TTL",
    "max_ttl": "ORCHESTRATOR_MAX_TTL",
    "confirm_within": "ORCHESTRATOR_CONFIRM_WITHIN",
    "idle_timeout": "ORCHESTRATOR_IDLE_TIMEOUT",
}
"""The variable that sets the same for a pool that the file says nothing else of."""


@dataclass(frozen=True, slots=True)
class PoolsFile:
    """A file that was read and has no fault."""

    path: str
    entries: Mapping[PoolName, PoolEntry]


def read_pools(path: str, region: str | None) -> PoolsFile:
    """Read the file, or raise ValueError, which tells each of its faults in a line of its own.

    `region` is the environment's; None where that is not valid itself.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        table = tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"is not UTF-8 (at line {line})") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not TOML: {error}") from None
    entries, faults = _entries(table)
    faults += _strangers(table)
    faults += _double(entries, region)
    if faults:
        raise ValueError("\n".join(faults))
    return PoolsFile(path, entries)


def _entries(table: Mapping[str, Any]) -> tuple[dict[PoolName, PoolEntry], list[str]]:
    """Take what can be taken, and tell what is wrong with the rest."""
    pools = table.get("pools", {})
    if not isinstance(pools, dict):
        return {}, [f"pools={pools!r}: must be tables, one for each pool: [pools.{DEFAULT_POOL}]"]
    entries: dict[PoolName, PoolEntry] = {}
    faults: list[str] = []
    if DEFAULT_POOL not in pools:
        there = "names no pool" if not pools else f"names no pool '{DEFAULT_POOL}'"
        faults.append(f"{there}: [pools.{DEFAULT_POOL}] must be there, for all requests that name none")
    if len(pools) > MOST_POOLS:
        faults.append(f"names {len(pools)} pools: {MOST_POOLS} is the most that one service looks after")
    for key, told in pools.items():
        try:
            name = pool_name(key)
        except InvalidPoolName as error:
            faults.append(f"pools.{_quoted(key)}: {error.detail}")
            continue
        if not isinstance(told, dict):
            faults.append(f"pools.{key}={told!r}: must be a table, [pools.{key}], with at least a group")
            continue
        try:
            entries[name] = PoolEntry.model_validate(told)
        except ValidationError as error:
            faults += (_fault(key, details) for details in error.errors(include_url=False))
    return entries, faults


def _strangers(table: Mapping[str, Any]) -> Iterator[str]:
    for key in table:
        if key != "pools":
            yield f"{_quoted(key)}: unknown; each pool is a table [pools.NAME]"


def _double(entries: Mapping[PoolName, PoolEntry], region: str | None) -> Iterator[str]:
    """Find pools that would end each other's instances."""
    owners: dict[tuple[str, str | None], PoolName] = {}
    for name, entry in entries.items():
        where = entry.region or region
        first = owners.setdefault((entry.group, where), name)
        if first != name:
            yield (
                f"pools.{name}.group={entry.group!r}: is the group of pools.{first} already, "
                f"in {where or 'the same region'}"
            )


def _fault(pool: str, details: ErrorDetails) -> str:
    key = ".".join(str(part) for part in details["loc"])
    place = f"pools.{pool}.{key}"
    match details["type"]:
        case "missing":
            return f"{place}: is missing"
        case "extra_forbidden":
            close = get_close_matches(key, PoolEntry.model_fields, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(PoolEntry.model_fields)}"
            return f"{place}: unknown, {hint}"
        case _:
            return f"{place}={details['input']!r}: {details['msg']}"


def _quoted(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else repr(key)
