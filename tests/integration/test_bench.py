"""What the benchmark prepares: a registry that is as one whose instances are probed all the time."""

from pathlib import Path

from app.domain.model import DEFAULT_POOL, ProjectId
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.service.allocation import Allocator
from bench.servers import fill
from tests.builders import NOW
from tests.fakes import FakeClock, FakeProber, FakeWaker


def test_every_instance_is_given_without_a_probe(tmp_path: Path) -> None:
    database = tmp_path / "registry.db"
    fill(database, 3, NOW)
    registry = SqlRegistry(open_database(f"sqlite:///{database}"))
    prober = FakeProber()
    allocator = Allocator(
        pool=DEFAULT_POOL,
        registry=registry,
        quick_prober=prober,
        waker=FakeWaker(),
        clock=FakeClock(),
    )

    given = [allocator.allocate(ProjectId(f"project-{number}"), actor="tester") for number in range(3)]

    assert all(claimed.created for claimed in given)
    assert prober.probed == []
    registry.close()
