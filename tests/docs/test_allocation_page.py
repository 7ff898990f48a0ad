"""The page that draws the life of an allocation leaves out no way in, no way out, and nobody who is told."""

from pathlib import Path

import pytest

from app.domain.events import EventKind
from app.domain.messages import MessageKind
from app.domain.model import EndReason

PAGE = (Path(__file__).parents[2] / "docs/explanation/allocation.md").read_text()
ENDS = [reason for reason in EndReason if not reason.unready]
"""One that an allocation may end for: what did not get ready was never handed out."""
OF_ITS_LIFE = [kind for kind in EventKind if kind.startswith("allocation.")]


@pytest.mark.parametrize("reason", ENDS)
def test_every_way_out_is_told(reason: EndReason) -> None:
    assert f"| `{reason}` |" in PAGE


@pytest.mark.parametrize("reason", [reason for reason in ENDS if reason.ours])
def test_every_end_by_decision_is_in_the_drawing(reason: EndReason) -> None:
    (arrow,) = [line for line in PAGE.splitlines() if line.strip().startswith("life --> ended")]
    assert reason in arrow


@pytest.mark.parametrize("kind", OF_ITS_LIFE)
def test_every_event_is_told(kind: EventKind) -> None:
    assert f"`{kind}`" in PAGE


@pytest.mark.parametrize("kind", MessageKind)
def test_every_message_is_told(kind: MessageKind) -> None:
    assert any(f"| `{kind}`" in row.split("|", 2)[-1] for row in PAGE.splitlines() if row.startswith("| "))
