"""What nobody uses any more is announced and released; whatever is not proved to be unused stays.

The simulated instances note that they are used every half a second, in place of code-server's minute.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.e2e.aws import Aws
from tests.e2e.processes import Service
from tests.waiting import until

TIMEOUT, BUFFER = 6, 10
MODES = ("garbled", "hanging", "failing", "down")
"""How the servers behave that do not tell whether they are used."""
SOON = 30.0
"""Seconds: several times as long as an unused one lasts, on a busy machine."""


@dataclass
class Office:
    """A service with an idle timeout of some seconds, and who uses its instances."""

    cloud: Aws
    service: Service
    at_work: dict[str, Event] = field(default_factory=dict)
    threads: list[Thread] = field(default_factory=list)

    def work(self, *projects: str) -> dict[str, str]:
        """Allocate, and use the instances all the time; return them once that is seen."""
        machines = {}
        for project in projects:
            allocation = self.service.allocate(project)
            self.at_work[project] = Event()
            thread = Thread(target=self._use, args=(allocation["url"], self.at_work[project]))
            thread.start()
            self.threads.append(thread)
            machines[project] = allocation["machineId"]
        until(lambda: all(self.held(one)["lastActivityAt"] for one in projects), what="their use to be seen")
        return machines

    def leave(self, *projects: str) -> None:
        """Stop using them."""
        for project in projects:
            self.at_work[project].set()

    def hold(self, machine: str) -> None:
        assert self.service.http.put(f"/v1/instances/{machine}/hold").is_success

    def held(self, project: str) -> dict[str, Any]:
        found: dict[str, Any] = self.service.http.get(f"/v1/allocations/{project}").json()
        return found

    def holds(self, project: str) -> bool:
        return self.service.http.get(f"/v1/allocations/{project}").status_code == 200

    def until_released(self, project: str) -> None:
        until(lambda: not self.holds(project), SOON, what=f"{project} to be released")

    def events(self, project: str, *kinds: str) -> list[dict[str, Any]]:
        """Its events of these kinds, oldest first."""
        items = self.service.http.get("/v1/events", params={"project": project}).json()["items"]
        return [one for one in items[::-1] if one["kind"] in kinds]

    def mode(self, machine: str, mode: str) -> None:
        self.cloud.control("POST", f"instances/{machine}/worker", mode=mode)
        until(lambda: self.cloud.members()[machine]["worker"] == mode, what=f"its page to be {mode}")

    def close(self) -> None:
        for left in self.at_work.values():
            left.set()
        for thread in self.threads:
            thread.join()

    @staticmethod
    def _use(url: str, left: Event) -> None:
        with httpx.Client(trust_env=False, timeout=1) as browser:
            while not left.wait(0.2):
                with suppress(httpx.TransportError):
                    browser.get(url)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    database = tmp_path_factory.mktemp("culling") / "registry.db"
    with Aws(heartbeat_seconds=0.5) as cloud:
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_POLL_INTERVAL": "1",
            "ORCHESTRATOR_IDLE_TIMEOUT": str(TIMEOUT),
            "ORCHESTRATOR_EXPIRY_WARNING": "1",
            "ORCHESTRATOR_BUFFER": str(BUFFER),
        }
        with Service(database, settings) as service:
            service.start()
            service.settled(idle=BUFFER)
            office = Office(cloud, service)
            yield office
            office.close()


@pytest.fixture(scope="module")
def later(office: Office) -> Office:
    """The office, long after most have left it."""
    left = ("on-hold", *MODES, "left", "left-later")
    machines = office.work("busy", *left)
    office.service.allocate("untouched")
    office.hold(machines["on-hold"])
    for mode in MODES:
        office.mode(machines[mode], mode)
    office.leave(*left[:-1])
    office.until_released("left")
    office.leave("left-later")  # what lasts longer than this one lasts longer than the timeout
    office.until_released("left-later")
    return office


def test_what_nobody_uses_any_more_is_announced_and_then_released(later: Office) -> None:
    kinds = ("allocation.expiring", "allocation.ended")
    announced, ended = later.events("left", *kinds)

    assert [announced["kind"], ended["kind"]] == list(kinds)
    assert announced["reason"].startswith("nobody has used it since ")
    assert (ended["actor"], ended["reason"]) == ("poller", "unused")
    until(lambda: ended["instance"] not in later.cloud.members(), SOON, what="its instance to be terminated")


def test_what_is_in_use_stays(later: Office) -> None:
    assert later.holds("busy")
    assert later.events("busy", "allocation.expiring") == []


@pytest.mark.parametrize("mode", MODES)
def test_what_tells_nothing_stays(later: Office, mode: str) -> None:
    assert later.holds(mode)


def test_what_was_never_used_stays(later: Office) -> None:
    assert later.held("untouched")["lastActivityAt"] is None


def test_what_is_on_hold_stays_and_once_it_is_not_goes_but_not_unannounced(later: Office) -> None:
    assert later.events("on-hold", "allocation.expiring") == []

    machine = later.held("on-hold")["instance"]
    later.service.http.delete(f"/v1/instances/{machine}/hold")
    later.until_released("on-hold")

    assert len(later.events("on-hold", "allocation.expiring")) == 1


def test_once_its_user_leaves_it_goes(office: Office) -> None:
    office.work("busy-for-a-while")
    office.leave("busy-for-a-while")

    office.until_released("busy-for-a-while")


def test_who_uses_it_need_not_confirm_it(office: Office) -> None:
    for project in ("came", "never-came"):  # so late that the one who comes is seen in time
        asked = office.service.http.put(f"/v1/allocations/{project}", json={"confirmWithin": 10})
        assert asked.json()["confirmBy"] is not None

    office.work("came")
    office.until_released("never-came")

    assert office.held("came")["confirmBy"] is None
    assert [one["reason"] for one in office.events("never-came", "allocation.ended")] == ["unconfirmed"]


def test_the_short_timeout_is_warned_about_at_the_start(office: Office) -> None:
    warned = [line["detail"] for line in office.service.logs if line["event"] == "settings.warning"]

    told = f"ORCHESTRATOR_IDLE_TIMEOUT={TIMEOUT}: code-server tells once a minute"
    assert any(told in one for one in warned)
