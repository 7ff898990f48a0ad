"""A database that goes away, falls silent, or comes late: nothing waits for ever, and all goes on then."""

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.domain.errors import PoolExhausted, RegistryUnavailable, RegistryUnusable
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, ProjectId
from app.registry import ownership
from app.registry.breaker import REST, Breaker
from app.registry.database import open_database
from app.registry.ownership import Owner, belong_to
from app.registry.postgresql import Limits
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests import postgres
from tests.builders import NOW, a_look
from tests.databases import away, plainly
from tests.fake_clock import Stopwatch
from tests.postgres import Server
from tests.waiting import until

ALICE = ProjectId("alice")
OURS = Owner("vscode-asg", "eu-west-1")
IMPATIENT = Limits(pool=1.0, statement=2.0, lock=1.0, silence=2.5)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that the tests here stop and freeze; each leaves it running."""
    with postgres.a_server_of_ones_own() as running:
        yield running


@pytest.fixture
def url(server: Server) -> str:
    return server.new_database(f"test_{secrets.token_hex(6)}")


@contextmanager
def a_registry(url: str, breaker: Breaker | None = None) -> Iterator[SqlRegistry]:
    registry = SqlRegistry(Transactions(open_database(url, connections=3, limits=IMPATIENT), breaker=breaker))
    try:
        yield registry
    finally:
        registry.close()


def idle(registry: SqlRegistry) -> InstanceId:
    look = a_look()
    registry.discover(DEFAULT_POOL, look, now=NOW)
    registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)
    return look.id


def claim(registry: SqlRegistry) -> str:
    try:
        return registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=NOW).allocation.instance
    except PoolExhausted:
        return ""


def answers(registry: SqlRegistry) -> bool:
    try:
        registry.view(DEFAULT_POOL)
    except RegistryUnavailable:
        return False
    return True


def locks(server: Server, url: str) -> int:
    """How many locks transactions of this database hold."""
    with plainly(url) as connection:
        query = (
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        found: int = connection.execute(text(query)).scalar_one()
        return found


# A server that goes away


def test_a_server_that_went_away_is_an_unavailable_registry(url: str) -> None:
    with a_registry(url, Breaker(rest=0)) as registry, away(registry._transactions.engine):
        for use in (
            lambda: registry.view(DEFAULT_POOL),
            lambda: registry.view(DEFAULT_POOL),
            lambda: claim(registry),
            lambda: idle(registry),
        ):
            with pytest.raises(RegistryUnavailable):
                use()


def test_a_server_that_goes_away_in_the_middle_is_an_unavailable_registry(url: str) -> None:
    with a_registry(url) as registry:
        with pytest.raises(RegistryUnavailable):
            _lose_the_server_in_a_transaction(registry)
        until(lambda: answers(registry))
        assert registry.view(DEFAULT_POOL).group.arn is None
        assert registry.instances(DEFAULT_POOL) == {}


def _lose_the_server_in_a_transaction(registry: SqlRegistry) -> None:
    put = "INSERT INTO instances (id, pool, state, state_since) VALUES ('i-1', 'default', 'booting', now())"
    with registry._exclusively() as tx:
        tx.execute(text(put))
        with away(registry._transactions.engine):
            tx.execute(text("SELECT 1"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["in good order", "in a crash"])
def test_a_server_that_was_started_again_is_used_at_once(
    server: Server, url: str, how: signal.Signals
) -> None:
    with a_registry(url) as registry:
        instance = idle(registry)

        server.restart(how)

        assert claim(registry) == instance


def test_what_was_answered_before_a_crash_of_the_server_still_holds(server: Server, url: str) -> None:
    with a_registry(url) as registry:
        instance = idle(registry)
        assert claim(registry) == instance

        server.restart(signal.SIGQUIT)

        assert not registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=NOW).created


def test_a_server_that_came_back_is_used_again_after_a_moment(server: Server, url: str) -> None:
    with a_registry(url) as registry:
        instance = idle(registry)
        server.stop()
        assert not answers(registry)
        server.start()

        until(lambda: answers(registry))

        assert claim(registry) == instance


# A server that falls silent


def test_a_silent_server_costs_one_wait_and_after_it_all_goes_on(server: Server, url: str) -> None:
    time = Stopwatch()
    with a_registry(url, Breaker(monotonic=time)) as registry:
        instance = idle(registry)
        time.advance(REST)  # as where it serves: nobody was answered meanwhile
        with server.frozen():
            assert not answers(registry)

            for use in (lambda: claim(registry), partial(registry.view, DEFAULT_POOL)):
                with pytest.raises(RegistryUnavailable, match="cannot be reached"):  # without an attempt
                    use()

        until(lambda: answers_after_a_rest(registry, time))
        assert claim(registry) == instance
        until(lambda: locks(server, url) == 0)


def answers_after_a_rest(registry: SqlRegistry, time: Stopwatch) -> bool:
    time.advance(REST)
    return answers(registry)


def test_a_claim_that_is_cut_off_in_the_middle_leaves_no_lock_behind(server: Server, url: str) -> None:
    with a_registry(url) as registry:
        instance = idle(registry)
        with pytest.raises(RegistryUnavailable):
            _fall_silent_in_a_transaction(registry, server, instance)

        until(lambda: locks(server, url) == 0)
        until(lambda: answers(registry))
        assert registry.destroy(instance, actor="tester", now=NOW).state is InstanceState.TERMINATING


def _fall_silent_in_a_transaction(registry: SqlRegistry, server: Server, instance: str) -> None:
    with registry._exclusively() as tx:
        tx.execute(text("UPDATE instances SET zone = 'nowhere'"))
        with server.frozen():
            tx.execute(text("SELECT 1"))


# A process that starts meanwhile


def patiently(url: str) -> SqlRegistry:
    """What a worker opens."""
    registry = SqlRegistry(Transactions(open_database(url, connections=3, patient=True, limits=IMPATIENT)))
    belong_to(registry._transactions, {DEFAULT_POOL: OURS}, patient=True)
    return registry


def owner_in(engine: Engine) -> Owner | None:
    with engine.connect() as connection:
        return ownership.owner_of(connection, DEFAULT_POOL)


def test_a_process_that_starts_in_an_outage_does_what_a_start_does_once_the_server_is_back(
    server: Server, url: str
) -> None:
    open_database(url).dispose()  # by the process that started before
    server.stop()
    registry = patiently(url)
    assert not answers(registry)
    server.start()

    until(lambda: answers(registry))

    assert owner_in(registry._transactions.engine) == OURS
    assert claim(registry) == ""
    registry.close()


def test_a_database_that_comes_back_empty_is_not_migrated_in_the_time_of_a_request(
    server: Server, url: str
) -> None:
    server.stop()
    registry = patiently(url)
    server.start()

    until(lambda: "start the service anew" in _cause(partial(registry.view, DEFAULT_POOL)))

    with plainly(url) as connection:
        tables = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert connection.execute(tables).scalar() == 0
    registry.close()


def test_a_start_in_an_outage_is_refused_to_who_is_not_patient(server: Server, url: str) -> None:
    server.stop()
    try:
        with pytest.raises(RegistryUnusable, match="cannot be opened"):
            open_database(url)
    finally:
        server.start()


def test_the_database_of_another_group_that_comes_back_is_not_used(server: Server, url: str) -> None:
    with a_registry(url) as theirs:
        belong_to(theirs._transactions, {DEFAULT_POOL: Owner("another-asg", OURS.region)})
    server.stop()
    registry = patiently(url)
    server.start()

    for use in (lambda: idle(registry), lambda: claim(registry), partial(registry.view, DEFAULT_POOL)):
        until(partial(_is_somebody_elses, use))
    registry.close()


def test_another_programs_database_that_comes_back_is_not_used(server: Server, url: str) -> None:
    with plainly(url) as connection:
        connection.execute(text("CREATE TABLE recipes (name TEXT)"))
    server.stop()
    registry = SqlRegistry(Transactions(open_database(url, patient=True, limits=IMPATIENT)))
    server.start()

    until(lambda: "tables of another program" in _cause(partial(registry.view, DEFAULT_POOL)))
    with plainly(url) as connection:
        assert (
            connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar()
            == 1
        )
    registry.close()


def _is_somebody_elses(use: Callable[[], object]) -> bool:
    with pytest.raises(RegistryUnavailable) as refused:
        use()
    return refused.value.detail.startswith("The database belongs to the group 'another-asg'")


def _cause(use: Callable[[], object]) -> str:
    with pytest.raises(RegistryUnavailable) as refused:
        use()
    return str(refused.value.__cause__)


def test_patience_does_not_help_with_another_programs_tables(database_url: str) -> None:
    with plainly(database_url) as connection:
        connection.execute(text("CREATE TABLE recipes (name TEXT)"))

    with pytest.raises(RegistryUnusable, match="another program"):
        open_database(database_url, patient=True)


def test_a_file_that_cannot_be_opened_yet_is_waited_for_by_the_patient(tmp_path: Path) -> None:
    file, aside = tmp_path / "registry.db", tmp_path / "aside.db"
    open_database(f"sqlite:///{file}").dispose()
    file.rename(aside)
    file.mkdir()
    registry = SqlRegistry(Transactions(open_database(f"sqlite:///{file}", patient=True)))
    belong_to(registry._transactions, {DEFAULT_POOL: OURS}, patient=True)
    assert not answers(registry)

    file.rmdir()
    aside.rename(file)

    assert answers(registry)
    assert owner_in(registry._transactions.engine) == OURS
    registry.close()
