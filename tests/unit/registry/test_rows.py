"""Words of a newer version are read, and written back, as they are."""

from app.domain.events import EventKind
from app.domain.model import EndReason, Limit
from app.registry.rows import word


def test_a_known_word_is_the_one_we_know() -> None:
    assert word(EndReason, "left") is EndReason.LEFT


def test_an_unknown_word_stays_as_it_is() -> None:
    kind = word(EventKind, "instance.painted")

    assert (kind, kind.value, str(kind)) == ("instance.painted",) * 3
    assert isinstance(kind, EventKind)


def test_an_unknown_word_is_none_of_those_we_know() -> None:
    limit = word(Limit, "moon-phase")

    assert limit not in set(Limit)
    assert "moon-phase" not in [one.value for one in Limit]


def test_an_unknown_reason_counts_as_a_decision_of_ours() -> None:
    reason = word(EndReason, "released")

    assert reason.ours
    assert not reason.unready
