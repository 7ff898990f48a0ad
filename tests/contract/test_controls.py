"""The ControlPanel contract on SQLite, on real PostgreSQL, and in memory."""

from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, select

from app.domain.controls import Change
from app.domain.errors import VersionChanged
from app.domain.model import DEFAULT_POOL, EndReason, InstanceState, PoolView
from app.ports import ControlPanel
from app.registry.controls import SqlControls
from app.registry.ownership import Owner, belong_to
from app.registry.schema import events
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.contract.controls_contract import OTHER, ControlsContract, change
from tests.fakes import FakeControls


class TestSqlControls(ControlsContract):
    @pytest.fixture
    def panel(self, engine: Engine) -> ControlPanel:
        transactions = Transactions(engine)
        owners = {pool: Owner(f"group-{pool}", "eu-central-1") for pool in (DEFAULT_POOL, OTHER)}
        belong_to(transactions, owners)
        return SqlControls(transactions)

    def test_a_pass_leaves_the_controls_alone(self, panel: ControlPanel, engine: Engine) -> None:
        changed = change(panel, Change(paused=True, buffer=9))

        SqlRegistry(Transactions(engine)).record_view(PoolView(pool=DEFAULT_POOL))

        assert panel.controls(DEFAULT_POOL) == changed

    def test_each_change_stands_in_the_audit_trail_once(self, panel: ControlPanel, engine: Engine) -> None:
        for wish in (
            Change(buffer=9),
            Change(buffer=9),
            Change(paused=True),
            Change(paused=False, as_configured=True),
        ):
            change(panel, wish)

        with engine.connect() as connection:
            found = connection.execute(select(events.c.kind, events.c.actor, events.c.reason)).all()
        assert [tuple(row) for row in found] == [
            ("buffer.changed", "ann", "from 5 to 9"),
            ("pool.paused", "ann", None),
            ("pool.resumed", "ann", None),
            ("buffer.changed", "ann", "from 9 to 5, as configured"),
        ]

    def test_a_paused_pool_ends_no_instance_that_did_not_get_ready(
        self, panel: ControlPanel, engine: Engine
    ) -> None:
        registry = SqlRegistry(Transactions(engine))
        look = a_look()
        registry.discover(DEFAULT_POOL, look, now=NOW)
        change(panel, Change(paused=True))

        def end(reason: EndReason) -> bool:
            states = (InstanceState.BOOTING, InstanceState.TERMINATING)
            return registry.end(look.id, expect=states[0], to=states[1], reason=reason, now=NOW)

        assert not end(EndReason.BOOT_TIMEOUT)
        assert end(EndReason.LEFT)

    def test_of_racing_changes_of_one_version_one_is_made(self, panel: ControlPanel) -> None:
        read = panel.controls(DEFAULT_POOL)
        start, made, refused = Barrier(4), list[int](), list[int]()

        def race(buffer: int) -> None:
            start.wait()
            try:
                change(panel, Change(buffer=buffer), expect={read.version})
                made.append(buffer)
            except VersionChanged:
                refused.append(buffer)

        threads = [Thread(target=race, args=(buffer,)) for buffer in range(10, 14)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (len(made), len(refused)) == (1, 3)
        assert panel.controls(DEFAULT_POOL).buffer == made[0]


class TestFakeControls(ControlsContract):
    @pytest.fixture
    def panel(self) -> ControlPanel:
        return FakeControls(DEFAULT_POOL, OTHER)
