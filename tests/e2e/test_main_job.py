"""The main job, as a user sees it: a project's name gets an instance that serves; the buffer stays full."""

import httpx

from tests.e2e.aws import Aws
from tests.e2e.processes import Service
from tests.waiting import until


def page(url: str) -> str:
    answer = httpx.get(url, timeout=10, trust_env=False)
    assert answer.status_code == 200
    return answer.text


def test_an_empty_group_becomes_five_idle_instances(cloud: Aws, service: Service) -> None:
    """The original's defect 8: it scaled only inside a claim, so that there was no first fill."""
    assert cloud.config.desired == service.passes[0]["found"] == 0
    assert service.passes[0]["scaling"] == "0 -> 5"
    assert service.status()["idleMachines"] == 5


def test_status_lists_the_groups_instances(cloud: Aws, service: Service) -> None:
    assert sorted(service.machines()) == sorted(cloud.members())


def test_a_claim_answers_with_an_address_that_serves(service: Service) -> None:
    given = service.allocate("serves")
    assert "<html" in page(given["url"])


def test_the_page_at_the_address_soon_shows_the_projects_name(service: Service) -> None:
    given = service.allocate("shows-its-name")
    until(lambda: "shows-its-name" in page(given["url"]), what="the project's name on the page")


def test_the_answer_has_the_seeds_four_keys(service: Service) -> None:
    given = service.allocate("four-keys")
    port = service.settings["ORCHESTRATOR_INSTANCE_PORT"]
    assert list(given) == ["ip", "projectId", "machineId", "url"]
    assert given["projectId"] == "four-keys"
    assert given["url"] == f"http://{given['ip']}:{port}"


def test_after_claims_the_buffer_is_five_idle_again(service: Service) -> None:
    before = service.status()["usedMachines"]
    for project in ("one", "two", "three"):
        service.allocate(project)
    status = service.settled(idle=5, used=before + 3)
    assert status["totalMachines"] == before + 8
    # As the last pass saw it, which may be a moment older than the instances.
    until(lambda: service.status()["desiredCapacity"] == before + 8, what="a pass to see that it is enough")


def test_claims_and_destroys_never_lower_desired_capacity_by_setting_it(cloud: Aws, service: Service) -> None:
    held = [service.allocate(f"short-lived-{number}")["machineId"] for number in range(3)]
    for machine in held:
        assert service.destroy(machine).status_code == 200
    service.settled(idle=5)
    assert cloud.lowered() == []
    assert cloud.sizes()[-1] == cloud.group()["desired"]
