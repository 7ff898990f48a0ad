"""A service and its simulated cloud, brought into each state that the dashboard has a face for."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Any

from app.bootstrap.clock import SystemClock
from app.domain.access import Role
from app.registry.database import open_database
from app.registry.tokens import SqlTokens
from app.registry.transactions import Transactions
from app.service.tokens import TokenDesk
from bench.population import BUFFER, populate
from tests.e2e.aws import Aws
from tests.e2e.processes import DEADLINE, Service
from tests.waiting import until

NEVER = 3600.0
"""Seconds: longer than any test."""


@dataclass(frozen=True)
class Installation:
    """Both, running."""

    cloud: Aws
    service: Service

    @property
    def url(self) -> str:
        return self.service.url

    def pool(self, name: str = "default") -> dict[str, Any]:
        """A pool as /v1 shows it."""
        answer = self.service.http.get(f"/v1/pools/{name}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def change(self, name: str = "default", **changes: Any) -> None:
        answer = self.service.http.patch(f"/v1/pools/{name}", json=changes)
        assert answer.status_code == 200, answer.text

    def allocate(self, project: str, **body: Any) -> dict[str, Any]:
        answer = self.service.http.put(f"/v1/allocations/{project}", json=body)
        assert answer.status_code in {200, 201}, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def tidy(self, idle: int = 2) -> None:
        """Undo what a test did to the one pool: so many idle, and nothing used, held, booting or paused.

        What the dashboard makes of it is as of now, too: passes may have failed meanwhile.
        """
        self.cloud.lift_faults()
        self.cloud.control("POST", "capacity", limit=None)
        self.change(paused=False, buffer=None)
        until(lambda: self._is_tidy(idle), within=DEADLINE, what=f"{idle} to be idle: {self.pool()}")

    def _is_tidy(self, idle: int) -> bool:
        http = self.service.http
        found = http.get("/v1/instances").json()["items"]
        for one in found:
            if one["hold"]:
                http.delete(f"/v1/instances/{one['id']}/hold").raise_for_status()
        free = [one["id"] for one in found if one["state"] == "idle"]
        used = [one["id"] for one in found if one["state"] == "allocated"]
        for instance in (*used, *free[idle:]):
            self.service.destroy(instance).raise_for_status()
        if len(free) != idle or any(one["state"] not in {"idle", "terminating"} for one in found):
            return False
        return 'data-verdict="healthy"' in http.get("/dashboard/live").text

    def full(self, name: str = "default") -> None:
        """Wait until as many are idle as should be."""

        def is_full() -> bool:
            found = self.pool(name)
            return bool(found["instances"]["idle"] == found["buffer"])

        until(is_full, within=DEADLINE, what=f"{name} to be full")

    def limited(self, by: str, name: str = "default") -> None:
        """Wait until that keeps the pool from its buffer."""
        until(lambda: self.pool(name)["limitedBy"] == by, within=DEADLINE, what=f"limited by {by}")


@contextmanager
def installed(
    folder: Path, settings: Mapping[str, str] | None = None, *, idle: int | None = None, **cloud: Any
) -> Iterator[Installation]:
    """Run both as long as the block runs: two idle instances, looked after every second.

    The block begins once `idle` are idle, where it says how many.
    """
    with Aws(**{"worker": "none", **cloud}) as aws:
        ours = {"ORCHESTRATOR_BUFFER": "2", "ORCHESTRATOR_POLL_INTERVAL": "1"}
        with Service(folder / "registry.db", {**aws.settings, **ours, **(settings or {})}) as service:
            service.start()
            if idle is not None:
                service.settled(idle=idle)
            yield Installation(aws, service)


@contextmanager
def healthy(folder: Path) -> Iterator[Installation]:
    """The buffer is full, and a project has an instance."""
    with installed(folder, idle=2) as made:
        made.allocate("my-project")
        made.service.settled(idle=2, used=1)
        yield made


@contextmanager
def empty(folder: Path) -> Iterator[Installation]:
    """No instance, and none wanted: the buffer is 0."""
    with installed(folder, {"ORCHESTRATOR_BUFFER": "0"}) as made:
        until(lambda: made.service.passes, within=DEADLINE, what="a pass")
        yield made


@contextmanager
def starting(folder: Path) -> Iterator[Installation]:
    """The first instances boot, and none is ready yet."""
    with installed(folder, boot_seconds=NEVER) as made:
        until(lambda: made.service.status()["bootingMachines"] == 2, within=DEADLINE, what="two to boot")
        yield made


@contextmanager
def exhausted(folder: Path) -> Iterator[Installation]:
    """Two projects have all that there is, a third was told to come again, and AWS gives no more."""
    with installed(folder, idle=2) as made:
        made.cloud.control("POST", "capacity", limit=2, kind="capacity")
        made.allocate("first")
        made.allocate("second")
        made.limited("capacity")
        assert made.service.get("third").status_code == 503
        yield made


@contextmanager
def limited(folder: Path) -> Iterator[Installation]:
    """One is idle where two should be: the group's max size is reached."""
    with installed(folder, idle=2, max_size=2) as made:
        made.allocate("first")
        made.limited("max-size")
        yield made


@contextmanager
def paused(folder: Path) -> Iterator[Installation]:
    """An operator has paused the pool."""
    with installed(folder, idle=2) as made:
        made.change(paused=True)
        yield made


@contextmanager
def blind(folder: Path) -> Iterator[Installation]:
    """AWS answers nothing but errors, after all went well."""
    with installed(folder, idle=2) as made:
        made.allocate("my-project")
        made.service.settled(idle=2, used=1)
        made.cloud.fault(
            action="*",
            kind="error",
            code="InternalFailure",
            status=500,
            message="An internal error occurred.",
        )
        until(
            lambda: made.service.http.get("/readyz").status_code == 503,
            within=DEADLINE,
            what="passes to have failed for six intervals",
        )
        yield made


STATES: Mapping[str, Callable[[Path], Any]] = {
    "healthy": healthy,
    "empty": empty,
    "starting": starting,
    "exhausted": exhausted,
    "limited": limited,
    "paused": paused,
    "blind": blind,
}
"""How each verdict on a pool that lasts comes about."""


POOLS = """
[pools.default]
group = "vscode-asg"
buffer = 2

[pools.gpu]
group = "gpu-asg"
buffer = 1

[pools.late]
group = "late-asg"
buffer = 1
"""


@contextmanager
def several(folder: Path) -> Iterator[Installation]:
    """Three pools, of which one has no group."""
    (folder / "pools.toml").write_text(POOLS)
    settings = {"ORCHESTRATOR_POOLS_FILE": str(folder / "pools.toml")}
    with installed(folder, settings, more_groups=("gpu-asg",)) as made:
        made.full("default")
        made.full("gpu")
        until(lambda: made.pool("late")["warnings"], within=DEADLINE, what="the missing group to be told")
        yield made


@dataclass(frozen=True)
class Guarded(Installation):
    """One that needs a token."""

    tokens: Mapping[Role, str]
    """One of each role, called as the role is."""


@contextmanager
def guarded_by_tokens(folder: Path) -> Iterator[Guarded]:
    """Let nobody in without a token; the tests themselves ask as admin."""
    tokens = _one_token_each(f"sqlite:///{folder}/registry.db")
    with installed(folder, {"ORCHESTRATOR_AUTH": "on"}) as made:
        made.service.http.headers["Authorization"] = f"Bearer {tokens[Role.ADMIN]}"
        made.service.settled(idle=2)
        yield Guarded(made.cloud, made.service, tokens)


def _one_token_each(database: str) -> dict[Role, str]:
    transactions = Transactions(open_database(database))
    desk = TokenDesk(tokens=SqlTokens(transactions), clock=SystemClock(), chance=token_bytes)
    made = {role: desk.create(role.value, role, ttl=None, actor="cli:tests")[1] for role in Role}
    transactions.close()
    return made


@contextmanager
def crowded(folder: Path, living: int = 2_000) -> Iterator[Service]:
    """A service, without a poller, on the registry of a pool with so many instances."""
    database = folder / "registry.db"
    populate(f"sqlite:///{database}", living, datetime.now(UTC))  # noqa: TID251 - ages are told from now
    # So that nobody misses the passes that nobody makes.
    settings = {
        "ORCHESTRATOR_BUFFER": str(BUFFER),
        "ORCHESTRATOR_POLLER": "off",
        "ORCHESTRATOR_POLL_INTERVAL": "3600",
    }
    with Service(database, settings) as service:
        service.start()
        yield service
