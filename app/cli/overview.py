"""What `status` and `watch` show of a service: its pools, what is wrong and how to mend it, its instances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from rich.console import Console
from rich.text import Text

from app.api.seed import PoolFigures, Status
from app.api.v1 import Instance
from app.cli import output, remedies, tables, times
from app.cli.tables import Column, Table
from app.client import Client

FEW = 20
"""More instances than this are listed on demand only."""
_SOME = 500
_ORDER = ("allocated", "booting", "idle", "terminating")
_LABEL = 9


@dataclass(frozen=True, slots=True)
class Overview:
    """One look at a service."""

    url: str
    status: Status
    instances: Sequence[Instance]
    now: datetime

    @property
    def pools(self) -> Sequence[PoolFigures]:
        """All pools."""
        return self.status.pools

    @property
    def count(self) -> int:
        """How many instances there are, also those that were not listed."""
        if len(self.instances) < _SOME:
            return len(self.instances)
        return sum(
            pool.total_machines + pool.booting_machines + pool.terminating_machines + pool.held_machines
            for pool in self.pools
        )

    def heading(self, screen: Console) -> list[Text]:
        """Say which service this is, and whether it does its work."""
        leader, age = self.status.leader, self.status.last_pass_age_seconds
        passed = "no pass yet" if age is None else f"last pass {times.long(timedelta(seconds=age))} ago"
        leads = f"{leader.replica} leads" if leader else "no replica leads"
        return output.paragraph(screen, f"{self.url}: {leads}, {passed}")

    def pool_table(self) -> Table:
        """Return the figures, a line for each pool."""
        columns = (
            Column("POOL"),
            Column("IDLE", right=True),
            Column("BUFFER", right=True),
            Column("WAITING", rank=4, right=True),
            Column("ALLOCATED", rank=1, right=True),
            Column("BOOTING", rank=2, right=True),
            Column("ENDING", rank=3, right=True),
            Column("HELD", rank=5, right=True),
            Column("DESIRED", rank=4, right=True),
            Column("MAX", rank=4, right=True),
            Column("LAST PASS", rank=6),
        )
        return Table(columns, [_figures(pool) for pool in self.pools], self.now)

    def alarms(self, screen: Console) -> Iterator[Text]:
        """Say what is wrong, the loudest first, and how to mend it."""
        found = [alarm for pool in self.pools for alarm in _alarms(pool, named=len(self.pools) > 1)]
        if self.status.leader is None:
            detail = "No replica looks after the pools: nothing is launched or replaced."
            found.append(_Alarm(_NO_LEADER, detail, remedies.of_warning("no-pass")))
        for alarm in sorted(found, key=lambda one: _LOUDNESS.index(one.label)):
            pad = " " * max(1, _LABEL + 1 - len(alarm.label))
            yield from output.paragraph(screen, alarm.text, lead=Text.assemble(alarm.label, pad))
            if alarm.remedy:
                lead = " " * (_LABEL + 1) + "To mend: "
                yield from output.paragraph(screen, alarm.remedy, lead=lead)

    def instance_table(self, most: int | None) -> Table:
        """Return the instances, those in use first; `most` of them."""
        ordered = sorted(self.instances, key=lambda one: (_place(one), one.pool, one.project or "", one.id))
        columns = [
            Column("INSTANCE"),
            Column("STATE"),
            Column("PROJECT", text=True),
            Column("SINCE", rank=1),
            Column("ADDRESS", rank=2),
            Column("ZONE", rank=4),
            Column("POOL", rank=3),
            Column("LAST USED", rank=5),
        ]
        return Table(columns, [_instance(one) for one in islice(ordered, most)], self.now)


def look(client: Client, now: datetime, *, every: bool) -> Overview:
    """Ask the service how it is; of very many instances only some, unless `every` one is wanted."""
    return Overview(
        url=client.url,
        status=client.status(),
        instances=list(islice(client.instances(), None if every else _SOME)),
        now=now,
    )


def _figures(pool: PoolFigures) -> tuple[tables.Cell, ...]:
    enough = pool.idle_machines >= pool.buffer
    return (
        pool.name,
        Text(str(pool.idle_machines), style="green" if enough else "yellow"),
        pool.buffer,
        pool.waiting_projects,
        pool.used_machines,
        pool.booting_machines,
        pool.terminating_machines,
        pool.held_machines,
        pool.desired_capacity,
        pool.max_size,
        pool.last_pass_at,
    )


def _instance(instance: Instance) -> tuple[tables.Cell, ...]:
    holder = instance.project if instance.state == "allocated" else None
    return (
        instance.id,
        tables.state(instance.state, held=bool(instance.hold)),
        holder,
        instance.state_since,
        instance.address,
        instance.zone,
        instance.pool,
        instance.last_activity_at if holder else None,
    )


def _place(instance: Instance) -> int:
    return _ORDER.index(instance.state) if instance.state in _ORDER else len(_ORDER)


@dataclass(frozen=True, slots=True)
class _Alarm:
    """Something that is wrong, and how to mend it."""

    label: Text
    text: str
    remedy: str | None


_PAUSED, _LIMITED = Text("PAUSED", style="bold reverse red"), Text("LIMITED", style="bold reverse yellow")
_NO_LEADER, _WARNING = Text("no leader", style="yellow"), Text("warning", style="yellow")
_LOUDNESS = [_PAUSED, _NO_LEADER, _LIMITED, _WARNING]


def _alarms(pool: PoolFigures, *, named: bool) -> Iterator[_Alarm]:
    prefix = f"{pool.name}: " if named else ""
    told = {notice.code: notice.detail for notice in pool.warnings}
    if pool.paused:
        yield _Alarm(_PAUSED, prefix + told.pop("paused", remedies.LIMITS["paused"]), None)
    elif pool.limited_by:
        text = f"{prefix}the buffer cannot be met: {pool.limited_by}"
        yield _Alarm(_LIMITED, text, remedies.LIMITS.get(pool.limited_by))
    for code, detail in told.items():
        yield _Alarm(_WARNING, f"{prefix}{code}: {detail}", remedies.of_warning(code))
