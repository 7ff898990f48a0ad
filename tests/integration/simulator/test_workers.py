"""Each simulated instance is a web server of its own."""

from datetime import timedelta

import httpx
import pytest

from app.domain.model import InstanceId
from app.probe import HeartbeatReader, HttpProber
from app.simulator.cloud import SimulatedCloud
from tests.integration.simulator.account import PROJECT, WEB, Aws, a_config
from tests.waiting import until

PATIENCE = 30.0


def a_patient_prober() -> HttpProber:
    return HttpProber(
        "/healthz", timeout=PATIENCE, deadline=PATIENCE, page_timeout=PATIENCE, page_deadline=PATIENCE
    )


def a_patient_reader() -> HeartbeatReader:
    return HeartbeatReader(timeout=PATIENCE, deadline=PATIENCE)


def where(aws: Aws, instance_id: str) -> tuple[str, int]:
    url = httpx.URL(aws.worker(instance_id))
    return url.host, url.port or 80


class TestWorkers:
    def test_a_page_shows_instance_and_project_live(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        assert member in WEB.get(url).text
        assert WEB.get(f"{url}/project").json() == {"project": None}
        aws.ec2.create_tags(Resources=[member], Tags=[{"Key": PROJECT, "Value": "<my-project>"}])
        assert WEB.get(f"{url}/project").json() == {"project": "<my-project>"}
        assert "&lt;my-project&gt;" in WEB.get(url).text

    def test_the_health_check_alone_never_beats(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        assert WEB.get(f"{url}/healthz").text == '{"status":"expired","lastHeartbeat":0}'

    @pytest.mark.parametrize("path", ["/", "/healthz?x=1", "/anything"])
    def test_any_other_request_beats(self, aws: Aws, path: str) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        WEB.get(f"{url}{path}")
        health = WEB.get(f"{url}/healthz").json()
        assert health["status"] == "alive"
        assert health["lastHeartbeat"] > 1_600_000_000_000

    def test_a_terminated_instance_does_not_listen(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)
        aws.terminate(member)

        def refused() -> bool:
            try:
                WEB.get(url)
            except httpx.ConnectError:
                return True
            except httpx.TransportError:
                return False
            return False

        until(refused, what="nothing listens")

    def test_can_fail_hang_and_be_away(self, aws: Aws) -> None:
        (member,) = aws.grown(1)
        url = aws.answering(member)

        def behaves(mode: str) -> None:
            aws.control.post(f"/instances/{member}/worker", json={"mode": mode})
            until(lambda: aws.control.get("/state").json()["instances"][0]["worker"] == mode, what=mode)

        behaves("failing")
        assert WEB.get(f"{url}/healthz").status_code == 500
        behaves("blank")
        assert WEB.get(f"{url}/healthz").json()["status"] == "expired"
        assert (WEB.get(url).status_code, "registerHooks" in WEB.get(url).json()["error"]) == (500, True)
        behaves("hanging")
        with pytest.raises(httpx.ReadTimeout):
            WEB.get(f"{url}/healthz", timeout=httpx.Timeout(30, read=0.2))
        behaves("down")
        with pytest.raises(httpx.ConnectError):
            WEB.get(f"{url}/healthz")
        behaves("up")
        assert WEB.get(f"{url}/healthz").status_code == 200

    def test_a_probe_finds_what_does_not_answer_and_what_recovered(self, aws: Aws) -> None:
        members = [InstanceId(member) for member in aws.grown(5)]
        broken = dict(zip(members, ("failing", "hanging", "down", "blank", "up"), strict=True))
        targets = {member: where(aws, member) for member in members}
        hanging = {members[1]: targets[members[1]]}
        answering = targets.keys() - hanging
        prober, hasty = a_patient_prober(), HttpProber("/healthz", timeout=0.2, page_timeout=0.2)

        def behave(modes: dict[InstanceId, str]) -> None:
            for member, mode in modes.items():
                aws.control.post(f"/instances/{member}/worker", json={"mode": mode})
            until(lambda: workers() == modes, what="every worker is as told")

        def workers() -> dict[str, str]:
            return {one["id"]: one["worker"] for one in aws.control.get("/state").json()["instances"]}

        behave(broken)
        assert prober.probe({one: targets[one] for one in answering}) == {members[3], members[4]}
        assert prober.opens({one: targets[one] for one in answering}) == {members[4]}
        assert hasty.probe(hanging) == hasty.opens(hanging) == set()
        behave(dict.fromkeys(members, "up"))
        assert prober.probe(targets) == prober.opens(targets) == set(members)

    def test_a_probe_of_the_health_is_no_use_and_one_of_the_page_is(self, aws: Aws) -> None:
        member = InstanceId(aws.grown(1)[0])
        url = aws.answering(member)
        prober = a_patient_prober()
        assert prober.probe({member: where(aws, member)})
        assert WEB.get(f"{url}/healthz").json()["lastHeartbeat"] == 0
        assert prober.opens({member: where(aws, member)})
        assert WEB.get(f"{url}/healthz").json()["lastHeartbeat"] > 0

    def test_a_heartbeat_is_read_as_code_server_tells_it(self, aws: Aws) -> None:
        member = InstanceId(aws.grown(1)[0])
        url = aws.answering(member)
        reader, targets = a_patient_reader(), {member: where(aws, member)}

        unused = reader.read(targets)[member]
        WEB.get(url)
        used = reader.read(targets)[member]

        assert (unused.last, unused.now is not None) == (0, True)
        assert used.age is not None
        assert used.age < timedelta(minutes=2)

    def test_one_that_tells_no_heartbeat_is_ready_all_the_same(self, aws: Aws) -> None:
        member = InstanceId(aws.grown(1)[0])
        aws.answering(member)
        targets = {member: where(aws, member)}
        aws.control.post(f"/instances/{member}/worker", json={"mode": "garbled"})
        until(lambda: aws.control.get("/state").json()["instances"][0]["worker"] == "garbled", what="garbled")

        assert a_patient_prober().probe(targets) == {member}
        assert a_patient_reader().read(targets) == {}

    def test_a_mode_can_await_those_that_boot(self, aws: Aws) -> None:
        aws.control.post("/workers", json={"mode": "failing"})
        (member,) = aws.grown(1)
        until(lambda: aws.control.get("/state").json()["instances"][0]["worker"] == "failing", what="failing")
        assert WEB.get(aws.worker(member)).status_code == 500

    def test_on_one_address_each_instance_announces_its_port(self) -> None:
        with SimulatedCloud(a_config(one_address=True)) as cloud:
            aws = Aws(cloud)
            members = aws.grown(2)
            instances = [aws.instance(member) for member in members]
            assert {instance["PublicIpAddress"] for instance in instances} == {"127.0.0.1"}
            ports = [
                next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "ec2-orchestrator:port")
                for instance in instances
            ]
            assert len(set(ports)) == 2
            until(
                lambda: {one["worker"] for one in cloud.state()["instances"]} == {"up"},
                what="both workers are up",
            )
            for member, port in zip(members, ports, strict=True):
                assert member in WEB.get(f"http://127.0.0.1:{port}/").text
            aws.close()
