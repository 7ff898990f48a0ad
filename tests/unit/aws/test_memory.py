"""Entries of AWS's lists are read once, wherever they stand in the next answer."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import pytest
from botocore.parsers import ResponseParserError

from app.aws.entries import MEMBERS, LongList
from app.aws.memory import RUN, Memory, cut_answer

MANY = [f"i-{number:017x}" for number in range(20 * RUN)]
"""Enough for some runs."""


class Reading:
    """Reads entries, and knows which."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(self, entry: bytes) -> list[str]:
        self.done.append(text_of(entry))
        return [self.done[-1]]


def text_of(entry: bytes) -> str:
    return entry.decode().removeprefix("<member>").removesuffix("</member>")


def an_answer(texts: Iterable[str], between: str = "\n  ", before: str = "") -> bytes:
    listed = between.join(f"<member>{text}</member>" for text in texts)
    name = "<AutoScalingGroupName>a</AutoScalingGroupName>"
    return f"{name}{before}<Instances>{listed}</Instances><More/>".encode()


def read(memory: Memory[Any], answer: bytes) -> Sequence[Any]:
    """Let an answer pass as botocore would have it do; return what its entries say."""
    custom: dict[str, Any] = {}
    with memory.cutting_out():
        cut_answer(response_dict={"status_code": 200, "body": answer}, customized_response_dict=custom)
    return memory.of(custom)


def look(memory: Memory[Any], texts: Sequence[str]) -> Sequence[Any]:
    """Read a list of these; then what neither this look nor the next one has is forgotten."""
    found = read(memory, an_answer(texts))
    memory.age()
    return found


@pytest.fixture
def reading() -> Reading:
    return Reading()


@pytest.fixture
def memory(reading: Reading) -> Memory[Any]:
    return Memory(MEMBERS, reading)


SOME = MANY[5::137]
"""A few of them, all over the list."""

CHANGES: dict[str, list[str]] = {
    "nothing": MANY,
    "replaced": [f"not {text}" if text in SOME else text for text in MANY],
    "inserted": [each for text in MANY for each in ([f"before {text}", text] if text in SOME else [text])],
    "removed": [text for text in MANY if text not in SOME],
    "appended": [*MANY, "one more", "and one"],
    "in front": ["one more", "and one", *MANY],
    "reversed": MANY[::-1],
    "shuffled": sorted(MANY, key=lambda text: text[::-1]),
    "twice": [*MANY, *MANY],
    "halved": MANY[: len(MANY) // 2],
    "gone": [],
}
every_change = pytest.mark.parametrize("then", CHANGES.values(), ids=CHANGES.keys())


@every_change
def test_the_list_is_what_the_answer_shows(memory: Memory[Any], then: list[str]) -> None:
    look(memory, MANY)
    assert look(memory, then) == [[text] for text in then]


@every_change
def test_only_what_is_new_is_read(memory: Memory[Any], reading: Reading, then: list[str]) -> None:
    look(memory, MANY)
    reading.done.clear()
    look(memory, then)
    assert sorted(reading.done) == sorted(set(then) - set(MANY))


@every_change
def test_what_is_as_it_was_is_the_same_object(memory: Memory[Any], then: list[str]) -> None:
    before = {one[0]: one for one in look(memory, MANY)}
    assert all(before.get(one[0], one) is one for one in look(memory, then))


class Counted(LongList):
    """A list that knows how many entries were cut out by themselves, and not in a run."""

    count: ClassVar[int] = 0

    def first(self, body: bytes, place: slice) -> slice | None:
        """See LongList.first."""
        Counted.count += 1
        return super().first(body, place)


def test_a_list_that_grew_by_one_entry_at_a_time_still_has_long_runs() -> None:
    """Else it would fall to pieces in a day: a run for each entry."""
    memory = Memory(Counted("Instances", "member", owner="AutoScalingGroupName"), bytes)
    for number in range(10 * RUN):
        look(memory, MANY[: 10 * RUN + number])
    Counted.count = 0
    look(memory, MANY)
    assert Counted.count < 5 * RUN


def test_what_is_between_two_entries_does_not_matter(memory: Memory[Any], reading: Reading) -> None:
    read(memory, an_answer(MANY))
    reading.done.clear()
    assert read(memory, an_answer(MANY, between="", before="<DesiredCapacity>9</DesiredCapacity>")) == [
        [text] for text in MANY
    ]
    assert reading.done == []


def test_an_entry_that_was_gone_for_a_while_is_forgotten(memory: Memory[Any], reading: Reading) -> None:
    for some in (["one"], [], [], ["one"]):
        look(memory, some)
    assert reading.done == ["one", "one"]


def test_an_entry_that_is_always_there_is_read_once(memory: Memory[Any], reading: Reading) -> None:
    for _ in range(5):
        look(memory, ["one", "two"])
    assert reading.done == ["one", "two"]


def test_an_entry_is_remembered_although_its_neighbours_change(memory: Memory[Any], reading: Reading) -> None:
    for number in range(5):
        look(memory, [*MANY[: 3 * RUN], f"new {number}", *MANY[3 * RUN :]])
    assert len(reading.done) == len(set(reading.done))


def test_an_entry_that_cannot_be_read_is_an_answer_that_cannot_be_read() -> None:
    def refuse(_: bytes) -> None:
        raise ResponseParserError("no sense")

    with pytest.raises(ResponseParserError):
        read(Memory(MEMBERS, refuse), an_answer(["one"]))
