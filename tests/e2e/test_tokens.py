"""Tokens of the command line at two running replicas: they close an open service, and are soon refused again.

The story is told once; each test looks at one side of it.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.tokens import SqlTokens
from app.registry.transactions import Transactions
from tests.e2e.processes import DEADLINE, ROOT, Service, environment
from tests.waiting import until

INSTALLED = Path(sys.executable).with_name("ec2-orchestrator")
PROMISED = 5.0
"""Seconds after which every process knows what became of a token."""


def program(settings: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [INSTALLED, "token", *arguments],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    return done.stdout.removesuffix("\n")


def _status(replica: Service, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return replica.http.get("/status", headers=headers).status_code


@dataclass
class Story:
    """Two replicas that are asked all the time, and what the command line does meanwhile."""

    replicas: tuple[Service, Service]
    before: list[int] = field(default_factory=list)
    token: str = ""
    open_until: list[float] = field(default_factory=list)
    """When each let somebody in last, in seconds since it was closed."""
    with_token: list[int] = field(default_factory=list)
    taken_until: list[float] = field(default_factory=list)
    """When each took the token last, in seconds since it was revoked."""
    listed: str = ""
    still_good: list[int] = field(default_factory=list)

    def play(self) -> None:
        settings = self.replicas[0].settings
        self.before = self._ask(None)
        keeper = program(settings, "create", "keeper", "--role", "viewer")
        self.open_until = self._until_refused(None)
        self.token = program(settings, "create", "ci", "--role", "allocator", "--expires", "1h")
        self.with_token = self._ask(self.token)
        self._ask(keeper)
        self.listed = until(
            lambda: self._list_of_used(settings), within=DEADLINE, what="the uses to be noted"
        )
        program(settings, "revoke", "ci")
        self.taken_until = self._until_refused(self.token)
        self.still_good = self._ask(keeper)

    def _ask(self, token: str | None) -> list[int]:
        return [_status(one, token) for one in self.replicas]

    def _list_of_used(self, settings: dict[str, str]) -> str:
        """The list of tokens, once no use of them is still to be noted."""
        listed = program(settings, "list", "--json")
        return "" if '"lastUsedAt": null' in listed else listed

    def _until_refused(self, token: str | None) -> list[float]:
        """The seconds after which each was last asked and let us in; ask both until they refuse."""
        began, last = time.monotonic(), dict.fromkeys(self.replicas, 0.0)
        left = set(self.replicas)

        def refused() -> bool:
            for one in tuple(left):
                asked = time.monotonic() - began
                status = _status(one, token)
                if status == 401:
                    left.remove(one)
                elif status == 200:
                    last[one] = asked
            return not left

        until(refused, within=DEADLINE, what="both replicas to refuse it")
        return list(last.values())


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens") / "registry.db"


@pytest.fixture(scope="module")
def story(database: Path) -> Iterator[Story]:
    settings = {"ORCHESTRATOR_POLLER": "off"}
    with Service(database, settings) as one, Service(database, settings) as other:
        one.start()
        other.start()
        story = Story((one, other))
        story.play()
        yield story


def test_without_any_token_it_is_open(story: Story) -> None:
    assert story.before == [200, 200]


def test_the_first_token_closes_every_replica_soon(story: Story) -> None:
    assert max(story.open_until) < PROMISED


def test_the_token_alone_is_printed(story: Story) -> None:
    assert len(story.token) == len("eco_00000000_") + 43
    assert story.token.startswith("eco_")


def test_a_new_token_is_taken_by_every_replica_at_once(story: Story) -> None:
    assert story.with_token == [200, 200]


def test_a_revoked_token_is_refused_by_every_replica_soon(story: Story) -> None:
    assert max(story.taken_until) < PROMISED


def test_the_other_tokens_stay_good(story: Story) -> None:
    assert story.still_good == [200, 200]


def test_the_secret_is_in_no_list_no_log_and_no_database(story: Story, database: Path) -> None:
    secret = story.token.split("_", 2)[2]
    said = "".join(service.program.said for service in story.replicas)
    files = b"".join(file.read_bytes() for file in database.parent.iterdir())

    assert secret not in story.listed
    assert secret not in said
    assert secret.encode() not in files


def test_the_trail_tells_who_made_and_revoked_them(story: Story, database: Path) -> None:
    engine = open_database(f"sqlite:///{database}")
    transactions = Transactions(engine)
    found: list[Any] = list(SqlRegistry(transactions).events(limit=10))
    kept = SqlTokens(transactions).listed()
    transactions.close()

    told = [(event.kind, event.reason.split(",")[0]) for event in reversed(found) if event.pool == "*"]
    assert told == [("token.created", "keeper"), ("token.created", "ci"), ("token.revoked", "ci")]
    assert all(event.actor.startswith("cli:") for event in found if event.pool == "*")
    assert all(token.last_used_at for token in kept)
