"""The long lists in AWS's answers, read entry by entry: in a tenth of botocore's time, and of its memory.

A list of ten thousand is the same from look to look, but for a few entries. So its entries are cut out before
botocore reads the answer. They are known by their fingerprints: most of them by that of a whole run of them,
and each is parsed only where it is another one than before. Everything else is left to botocore: errors, the
group's figures, the token of the next page, and answers that look unusual.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, TypeVar, cast

from app.aws.entries import LongList, Unusual

Value = TypeVar("Value")

RUN = 64
"""How many entries a run has on average."""

_ENTRIES = "Entries"
"""Under this name an answer has what its entries say that were cut out of it."""

_OK = 200


class Memory(Generic[Value]):
    """Reads the entries of a list, and remembers them: of the same entry it returns the same object again.

    It knows them by their fingerprints. Neighbours mostly stay neighbours, so it knows whole runs of them,
    too: a run begins where the fingerprint of an entry says so, hence in the same places wherever it stands
    in the list. For one thread at a time.
    """

    def __init__(self, wanted: LongList, read: Callable[[bytes], Value]) -> None:
        self._list = wanted
        self._read = read
        self._lately: _Known[Value] = _Known({}, {})
        self._before: _Known[Value] = _Known({}, {})

    @contextmanager
    def cutting_out(self) -> Iterator[None]:
        """Have the answers to the calls in this block come without the entries of such a list, if they can.

        ResponseParserError comes out of a call where one of them makes no sense.
        """
        before = _WANTED.set(self)
        try:
            yield
        finally:
            _WANTED.reset(before)

    def of(self, answer: object) -> Sequence[Value]:
        """Return what the entries say that were cut out of it; nothing where botocore has read all of it."""
        found: Sequence[Value] = cast("Mapping[str, Any]", answer).get(_ENTRIES, ())
        return found

    def age(self) -> None:
        """Forget what was not read since this was called last."""
        self._before, self._lately = self._lately, _Known({}, {})

    def cut(self, body: bytes) -> tuple[bytes, Sequence[Value]] | None:
        """Return an answer without the list's entries, and what these say; None where it is unusual."""
        place = self._list.place(body)
        if place is None:
            return None
        values: list[Value] = []
        try:
            for run in self._runs(body, place):
                values += run.values
        except Unusual:
            return None
        return body[: place.start] + body[place.stop :], values

    def _runs(self, body: bytes, place: slice) -> Iterator["_Run[Value]"]:
        found = self._found(body, place)
        while found is not None:
            run, following = self._known_run(body, found, place) or self._new_run(body, found, place)
            self._lately.runs[found.key] = run
            self._lately.values.update(zip(run.keys, run.values, strict=True))
            yield run
            found = following

    def _known_run(
        self, body: bytes, first: "_Found", place: slice
    ) -> "tuple[_Run[Value], _Found | None] | None":
        """Return the run that begins there, and what follows it; None where it is not as it was."""
        run = self._lately.runs.get(first.key) or self._before.runs.get(first.key)
        if run is None:
            return None
        end = first.place.start + run.length
        if _fingerprint(body, slice(first.place.start, end)) != run.key:
            return None
        following = self._found(body, slice(end, place.stop))
        has_grown = following is not None and not following.begins_run
        return None if has_grown else (run, following)

    def _new_run(self, body: bytes, first: "_Found", place: slice) -> "tuple[_Run[Value], _Found | None]":
        """Read a run entry by entry, and find what follows it."""
        keys, values, found = [first.key], [self._one(body, first)], first
        while True:
            end = found.place.stop
            following = self._found(body, slice(end, place.stop))
            if following is None or following.begins_run:
                break
            found = following
            keys.append(found.key)
            values.append(self._one(body, found))
        part = slice(first.place.start, end)
        return _Run(end - part.start, _fingerprint(body, part), keys, values), following

    def _found(self, body: bytes, place: slice) -> "_Found | None":
        entry = self._list.first(body, place)
        return None if entry is None else _Found(_fingerprint(body, entry), entry)

    def _one(self, body: bytes, found: "_Found") -> Value:
        value = self._lately.values.get(found.key) or self._before.values.get(found.key)
        return self._read(body[found.place]) if value is None else value


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry in an answer."""

    key: bytes
    place: slice

    @property
    def begins_run(self) -> bool:
        return self.key[0] % RUN == 0


@dataclass(frozen=True, slots=True)
class _Run(Generic[Value]):
    """Some entries one behind the other, and what is between them."""

    length: int
    key: bytes
    keys: Sequence[bytes]
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class _Known(Generic[Value]):
    """What was read: entries by their fingerprints, and runs by those of their first entries."""

    values: dict[bytes, Value]
    runs: dict[bytes, _Run[Value]]


def _fingerprint(body: bytes, place: slice) -> bytes:
    return blake2b(memoryview(body)[place], digest_size=16).digest()


_WANTED: ContextVar[Memory[Any] | None] = ContextVar("wanted", default=None)


def cut_answer(
    *, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Cut the entries out of an answer, if they are wanted so: a handler of botocore's event before-parse."""
    wanted = _WANTED.get()
    if wanted is None or response_dict["status_code"] != _OK:
        return
    parts = wanted.cut(response_dict["body"])
    if parts is not None:
        response_dict["body"], customized_response_dict[_ENTRIES] = parts
