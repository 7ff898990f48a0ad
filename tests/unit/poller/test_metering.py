"""What is noted of passes, and of who leads: the poller's own arithmetic, no threads."""

from datetime import timedelta

import pytest

from app.domain.errors import NotLeading, RegistryUnavailable
from app.domain.model import DEFAULT_POOL
from app.service.reconcile import PassReport
from tests.unit.poller.beats import Beats


@pytest.mark.parametrize(
    ("report", "succeeded"),
    [
        (PassReport(), True),
        (PassReport(changed=True, put_off=6.0), True),
        (PassReport(failed=True), False),
        (NotLeading(), False),
        (RegistryUnavailable(), False),
        (RuntimeError("a bug"), False),
    ],
)
def test_a_pass_is_noted_by_how_it_ended(report: PassReport | Exception, succeeded: bool) -> None:
    beats = Beats(report)

    beats.beat_for(1)

    assert beats.meter.passes == [(DEFAULT_POOL, succeeded)]


def test_a_pass_that_our_own_budget_put_off_is_none() -> None:
    beats = Beats(PassReport(took_place=False, put_off=6.0))

    beats.beat_for(20)

    assert len(beats.ran) > 1
    assert beats.meter.passes == []


def test_who_runs_passes_has_said_that_it_leads() -> None:
    beats = Beats(PassReport())

    beats.beat_for(1)

    assert beats.meter.leading[-1] is True


def test_who_does_not_lead_says_so() -> None:
    beats = Beats(PassReport())
    beats.leases.take("another", timedelta(minutes=1))

    beats.beat_for(1)

    assert beats.meter.leading[-1] is False


def test_who_ends_leads_no_more() -> None:
    beats = Beats(PassReport())
    beats.beat_for(1)

    beats.poller.stop()

    assert beats.meter.leading[-1] is False
