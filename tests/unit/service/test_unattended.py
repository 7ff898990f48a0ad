from app.domain.errors import RegistryUnavailable
from app.service.unattended import Unattended


def told_of(*faults: Exception | None) -> list[Exception]:
    """Do work that ends like this one after the other, and return what was told of it."""
    left, told = list(faults), list[Exception]()

    def work() -> None:
        fault = left.pop(0)
        if fault is not None:
            raise fault

    unattended = Unattended(work, told.append)
    for _ in faults:
        unattended()
    return told


BUG, OTHER = ZeroDivisionError("a bug"), KeyError("another")


def test_work_that_succeeds_tells_nothing() -> None:
    assert told_of(None) == []


def test_a_row_of_bugs_is_told_once() -> None:
    assert told_of(BUG, OTHER) == [BUG]


def test_a_bug_is_told_again_once_it_has_worked_in_between() -> None:
    assert told_of(BUG, None, OTHER) == [BUG, OTHER]


def test_a_database_that_is_away_is_not_told() -> None:
    assert told_of(RegistryUnavailable("away")) == []


def test_a_database_that_is_away_ends_no_row_of_bugs() -> None:
    assert told_of(BUG, RegistryUnavailable("away"), OTHER) == [BUG]
