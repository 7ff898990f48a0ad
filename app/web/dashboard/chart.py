"""The last hours of a pool, drawn: two panels over one line of time, each with a scale of its own.

Idle instances are few and those in use may be thousands: on one scale nobody would see the buffer run empty.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import ceil, floor, log10

from app.domain.history import GRAIN, Sample
from app.domain.model import PoolName
from app.ports import History

STEPS: Mapping[int, timedelta] = {1: GRAIN, 6: 6 * GRAIN, 24: 24 * GRAIN}
"""How long each point lasts, by the hours that are shown: 240 points always."""
BRIDGED = 2
"""So many grains without a sample are no gap: the next one was a little late."""

_LABELLED = {1: timedelta(minutes=10), 6: timedelta(hours=1), 24: timedelta(hours=4)}
_ROWS = {1: timedelta(minutes=5), 6: timedelta(minutes=30), 24: timedelta(hours=2)}
_MOST_LINES = 4
_MUCH = 40
"""In percent of the time that is shown."""
_HEIGHT = 100


@dataclass(frozen=True, slots=True)
class Series:
    """One figure over time, as SVG paths in a box of `Chart.width` by 100."""

    name: str
    label: str
    line: str
    area: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on a scale, in percent of its length."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Some figures on one scale."""

    name: str
    title: str
    series: Sequence[Series]
    ticks: Sequence[Tick]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """All that is drawn, and the same in words."""

    pool: PoolName
    hours: int
    width: int
    start: datetime
    end: datetime
    panels: Sequence[Panel]
    ticks: Sequence[Tick]
    unknown: Tick | None
    """Where most of the time is before the first sample: a word about it, in the middle of that."""
    summary: str
    rows: Sequence[Sample]
    """The same as a table, in steps that a person can read."""
    data: str
    """The same for the script that reads it out at the pointer: JSON."""


def draw(history: History, pool: PoolName, hours: int, now: datetime) -> Chart:
    """Draw a pool's last hours. Raises RegistryUnavailable."""
    step = STEPS[hours]
    end = _ceiling(now, step)
    start = end - timedelta(hours=hours)
    samples = [one for one in history.since(pool, start, step=step) if one.at < end]
    places = {round((one.at - start) / step): one for one in samples}
    width = round((end - start) / step)
    runs = list(_runs(places, 1 + (BRIDGED if step == GRAIN else 0)))
    return Chart(
        pool=pool,
        hours=hours,
        width=width,
        start=start,
        end=end,
        panels=[
            _panel(
                "stock",
                "Idle against the buffer",
                runs,
                {
                    "idle": ("idle", lambda one: one.idle),
                    "waiting": ("waiting", lambda one: one.waiting or None),  # nobody, and there is no line
                    "buffer": ("buffer", lambda one: one.buffer),
                },
            ),
            _panel(
                "use",
                "In use, and desired capacity",
                runs,
                {
                    "used": ("in use", lambda one: one.allocated),
                    "desired": ("desired", lambda one: one.desired),
                },
            ),
        ],
        ticks=list(_times(start, end, _LABELLED[hours])),
        unknown=_unknown(places, width),
        summary=_summary(samples, hours, young=_unknown(places, width) is not None),
        rows=_coarser(samples, _ROWS[hours]),
        data=_data(places, start, step),
    )


Figure = Callable[[Sample], int | None]
Runs = Sequence[Sequence[tuple[int, Sample]]]


def _panel(name: str, title: str, runs: Runs, figures: Mapping[str, tuple[str, Figure]]) -> Panel:
    seen = [value(one) or 0 for _, value in figures.values() for run in runs for _, one in run]
    step, top = _scale(max(seen, default=0))
    return Panel(
        name,
        title,
        [_series(key, label, value, runs, top) for key, (label, value) in figures.items()],
        [Tick(100 - 100 * number * step / top, f"{number * step:,}") for number in range(top // step + 1)],
    )


def _series(name: str, label: str, value: Figure, runs: Runs, top: int) -> Series:
    lines, areas = [], []
    for known in _known(runs, value):
        line = _stairs(known, top)
        lines.append(line)
        areas.append(f"{line}V{_HEIGHT}H{known[0][0]}Z")
    return Series(name, label, "".join(lines), "".join(areas))


def _known(runs: Runs, value: Figure) -> Iterator[Sequence[tuple[int, int]]]:
    """Part the runs where there is no figure, too."""
    for run in runs:
        for missing, some in groupby(run, lambda point: value(point[1]) is None):
            if not missing:
                yield [(place, value(one) or 0) for place, one in some]


def _stairs(known: Sequence[tuple[int, int]], top: int) -> str:
    """Draw each figure until the next: in between nothing is known to have changed."""
    (first, value), *others = known
    path = [f"M{first} {_height(value, top)}"]
    for place, figure in others:
        if figure != value:
            path.append(f"H{place}V{_height(figure, top)}")
            value = figure
    return "".join([*path, f"H{known[-1][0] + 1}"])


def _height(figure: int, top: int) -> str:
    return f"{_HEIGHT - _HEIGHT * figure / top:.4g}"


def _scale(most: int) -> tuple[int, int]:
    """Return the step between two lines of the scale, and where it ends, above all: round, and few lines."""
    rough = max(1.0, most / _MOST_LINES)
    unit: int = 10 ** floor(log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return step, step * (most // step + 1)


def _runs(places: Mapping[int, Sample], reach: int) -> Iterator[Sequence[tuple[int, Sample]]]:
    """Part the points where there is a gap between them."""
    run: list[tuple[int, Sample]] = []
    for place, sample in sorted(places.items()):
        if run and place - run[-1][0] > reach:
            yield run
            run = []
        run.append((place, sample))
    if run:
        yield run


def _times(start: datetime, end: datetime, every: timedelta) -> Iterator[Tick]:
    """Label round times, but for those so near to an edge that they would be cut off."""
    at = _ceiling(start, every)
    while at <= end:
        place = 100 * ((at - start) / (end - start))
        if 3 <= place <= 97:  # noqa: PLR2004 - half of a label, on a phone a little more
            yield Tick(round(place, 2), f"{at:%H:%M}")
        at += every


def _ceiling(moment: datetime, step: timedelta) -> datetime:
    seconds = step.total_seconds()
    return datetime.fromtimestamp(ceil(moment.timestamp() / seconds) * seconds, UTC)


def _coarser(samples: Sequence[Sample], step: timedelta) -> Sequence[Sample]:
    """Put samples together as the history does: the least idle, the most in use, the newest first."""
    seconds = step.total_seconds()
    return [
        _together(datetime.fromtimestamp(number * seconds, UTC), list(some))
        for number, some in groupby(reversed(samples), lambda one: one.at.timestamp() // seconds)
    ]


def _together(at: datetime, some: Sequence[Sample]) -> Sample:
    return Sample(
        pool=some[0].pool,
        at=at,
        idle=min(one.idle for one in some),
        allocated=max(one.allocated for one in some),
        booting=max(one.booting for one in some),
        waiting=max(one.waiting for one in some),
        buffer=min(one.buffer for one in some),
        desired=max((one.desired for one in some if one.desired is not None), default=None),
    )


def _unknown(places: Mapping[int, Sample], width: int) -> Tick | None:
    if not places:
        return Tick(50, "No samples yet")
    first = min(places)
    before = 100 * first / width
    if before <= _MUCH:
        return None
    return Tick(round(before / 2, 2), f"No samples before {places[first].at:%H:%M}")


def _summary(samples: Sequence[Sample], hours: int, *, young: bool) -> str:
    """Say in a sentence or two what the chart shows."""
    if not samples:
        return "There are no samples yet: the first comes within 15 seconds of a replica leading."
    over = "of the last hour" if hours == 1 else f"of the last {hours} hours"
    if young:
        over = f"since {samples[0].at:%H:%M}"
    idle = min(one.idle for one in samples)
    used = max(one.allocated for one in samples)
    waiting = max(one.waiting for one in samples)
    waited = f"{waiting:,} waiting at the most" if waiting else "nobody waiting"
    return f"In the samples {over}: {idle:,} idle at the least, {used:,} in use at the most, {waited}."


def _data(places: Mapping[int, Sample], start: datetime, step: timedelta) -> str:
    return json.dumps(
        {
            "start": round(start.timestamp()),
            "step": round(step.total_seconds()),
            "points": {
                place: [one.idle, one.buffer, one.waiting, one.allocated, one.booting, one.desired]
                for place, one in places.items()
            },
        },
        separators=(",", ":"),
    )
