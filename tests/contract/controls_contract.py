"""What every implementation of the ControlPanel port promises."""

from datetime import timedelta

import pytest

from app.domain.controls import Change, Controls
from app.domain.errors import PoolNotFound, VersionChanged
from app.domain.model import DEFAULT_POOL, PoolName
from app.ports import ControlPanel
from tests.builders import NOW

OTHER = PoolName("other")
LATER = NOW + timedelta(minutes=1)


def change(panel: ControlPanel, wish: Change, pool: PoolName = DEFAULT_POOL, **more: object) -> Controls:
    given = {"configured": 5, "expect": None, "actor": "ann", "now": NOW, **more}
    return panel.change(pool, wish, **given)  # type: ignore[arg-type]


class ControlsContract:
    """Subclasses give a fixture `panel`, which has the pools `default` and `other`."""

    def test_untouched_controls_say_nothing(self, panel: ControlPanel) -> None:
        assert panel.controls(DEFAULT_POOL) == Controls(pool=DEFAULT_POOL)

    def test_a_pause_is_kept_with_who_asked_for_it_and_when(self, panel: ControlPanel) -> None:
        changed = change(panel, Change(paused=True))

        assert panel.controls(DEFAULT_POOL) == changed
        assert (changed.paused, changed.paused_at, changed.paused_by) == (True, NOW, "ann")

    def test_a_pause_that_is_asked_for_twice_stays_the_firsts(self, panel: ControlPanel) -> None:
        first = change(panel, Change(paused=True))

        assert change(panel, Change(paused=True), actor="bob", now=LATER) == first

    def test_a_resumed_pool_is_not_paused(self, panel: ControlPanel) -> None:
        change(panel, Change(paused=True))

        changed = change(panel, Change(paused=False))

        assert panel.controls(DEFAULT_POOL) == changed
        assert (changed.paused, changed.paused_at, changed.paused_by) == (False, None, None)

    def test_a_buffer_is_kept(self, panel: ControlPanel) -> None:
        change(panel, Change(buffer=0))

        assert panel.controls(DEFAULT_POOL).buffer == 0

    def test_the_settings_own_buffer_can_be_had_back(self, panel: ControlPanel) -> None:
        change(panel, Change(buffer=9))

        assert change(panel, Change(as_configured=True)).buffer is None
        assert panel.controls(DEFAULT_POOL).buffer is None

    def test_what_is_not_named_stays(self, panel: ControlPanel) -> None:
        change(panel, Change(buffer=9))
        change(panel, Change(paused=True))

        assert panel.controls(DEFAULT_POOL).buffer == 9
        assert change(panel, Change(buffer=3)).paused

    def test_each_pool_has_its_own(self, panel: ControlPanel) -> None:
        change(panel, Change(paused=True, buffer=9), OTHER)

        assert panel.controls(DEFAULT_POOL) == Controls(pool=DEFAULT_POOL)

    def test_each_change_has_another_version(self, panel: ControlPanel) -> None:
        versions = [
            change(panel, wish).version
            for wish in (Change(buffer=9), Change(paused=True), Change(buffer=8), Change(as_configured=True))
        ]

        assert len(set(versions)) == len(versions)

    def test_what_changes_nothing_leaves_the_version(self, panel: ControlPanel) -> None:
        before = change(panel, Change(buffer=9))

        assert change(panel, Change(buffer=9)) == before
        assert change(panel, Change()) == before

    def test_a_change_of_the_version_that_was_read_is_made(self, panel: ControlPanel) -> None:
        read = panel.controls(DEFAULT_POOL)

        assert change(panel, Change(buffer=9), expect={read.version}).buffer == 9

    def test_a_change_of_an_older_version_changes_nothing(self, panel: ControlPanel) -> None:
        read = panel.controls(DEFAULT_POOL)
        theirs = change(panel, Change(buffer=9), expect={read.version})

        with pytest.raises(VersionChanged):
            change(panel, Change(buffer=2, paused=True), expect={read.version})

        assert panel.controls(DEFAULT_POOL) == theirs

    def test_a_pool_that_is_not_there_has_no_controls(self, panel: ControlPanel) -> None:
        with pytest.raises(PoolNotFound):
            change(panel, Change(buffer=9), PoolName("nowhere"))
