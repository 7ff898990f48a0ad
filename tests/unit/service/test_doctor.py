"""The doctor: one line for each thing that must be right, whatever is broken."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.errors import CloudUnavailable, PoolNotFound, SettingsInvalid
from app.domain.finding import Finding, Verdict
from app.domain.model import DEFAULT_POOL, InstanceId, PoolName
from app.service.doctor import PROBED, Doctor, PoolDoctor, settings_faults
from app.settings import PoolSettings
from tests.builders import NOW, a_pool
from tests.fakes import FakeClock, FakeCloud, FakeProber

REACH = "reachability of instances"
GPU = PoolName("gpu")
LONG_AFTER = NOW + timedelta(hours=1)


class FakePreflight:
    """Finds what it was made with, or breaks."""

    def __init__(self, findings: Sequence[Finding] = (), error: Exception | None = None) -> None:
        self._findings = findings
        self._error = error
        self.buffers: list[int] = []

    def examine(self, buffer: int) -> Sequence[Finding]:
        self.buffers.append(buffer)
        if self._error:
            raise self._error
        return self._findings


def a_finding(check: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, detail="It is as it should be.")


def a_cloud(members: int) -> FakeCloud:
    return FakeCloud(desired=members, boot_looks=0)


def a_pool_doctor(
    config: PoolSettings,
    *,
    cloud: FakeCloud | None = None,
    prober: FakeProber | None = None,
    preflight: FakePreflight | None = None,
    now: datetime = LONG_AFTER,
) -> PoolDoctor:
    return PoolDoctor(
        config,
        preflight=preflight or FakePreflight(),
        cloud=cloud or a_cloud(0),
        prober=prober or FakeProber(),
        clock=FakeClock(now),
    )


def a_doctor(
    *,
    database: Callable[[], Iterable[Finding]] = tuple,
    warnings: Sequence[str] = (),
    config: PoolSettings | None = None,
    **world: Any,
) -> Doctor:
    return Doctor([a_pool_doctor(config or a_pool(), **world)], warnings=warnings, database=database)


def reach(doctor: Doctor) -> Finding:
    return next(finding for finding in doctor.examine() if finding.check == REACH)


def test_every_part_is_told_settings_first_and_instances_last() -> None:
    doctor = a_doctor(
        database=lambda: [a_finding("database")],
        preflight=FakePreflight([a_finding("credentials"), a_finding("group")]),
    )

    assert [finding.check for finding in doctor.examine()] == [
        "settings",
        "database",
        "credentials",
        "group",
        REACH,
    ]


def test_aws_is_examined_for_the_buffer_that_is_set() -> None:
    preflight = FakePreflight()

    a_doctor(preflight=preflight, config=a_pool(buffer=7)).examine()

    assert preflight.buffers == [7]


def test_each_warning_of_the_settings_is_a_line_of_its_own() -> None:
    findings = a_doctor(warnings=("One is off.", "Another is misspelt.")).examine()

    warned = [finding for finding in findings if finding.verdict is Verdict.WARNING]
    assert [finding.detail for finding in warned] == ["One is off.", "Another is misspelt."]
    assert all(finding.check == "settings" and finding.remedy for finding in warned)


def test_each_fault_of_the_settings_is_a_failure_of_its_own() -> None:
    findings = settings_faults(SettingsInvalid("A=1: too small\nB=x: no number"))

    assert [finding.detail for finding in findings] == ["A=1: too small", "B=x: no number"]
    assert all(finding.verdict is Verdict.FAILURE and finding.remedy for finding in findings)


@pytest.mark.parametrize("part", ["database", "AWS"])
def test_a_check_that_breaks_is_a_line_and_the_others_are_still_told(part: str) -> None:
    def broken() -> Iterable[Finding]:
        raise ValueError("out of cheese")

    doctor = (
        a_doctor(database=broken)
        if part == "database"
        else a_doctor(preflight=FakePreflight(error=ValueError("out of cheese")))
    )
    findings = doctor.examine()

    broke = next(finding for finding in findings if finding.check == part)
    assert broke.verdict is Verdict.UNKNOWN
    assert "ValueError: out of cheese" in broke.detail
    assert [findings[0].check, findings[-1].check] == ["settings", REACH]


def test_members_that_all_answer_are_told_by_number() -> None:
    found = reach(a_doctor(cloud=a_cloud(5)))

    assert found.verdict is Verdict.OK
    assert "5 of 5" in found.detail
    assert not found.remedy


def test_at_most_twenty_are_asked_the_longest_running_first() -> None:
    cloud, prober = a_cloud(25), FakeProber()
    for age, instance in enumerate(cloud.members):
        cloud.change(instance, launched_at=NOW - timedelta(minutes=age))

    found = reach(a_doctor(cloud=cloud, prober=prober))

    assert f"{PROBED} of {PROBED}" in found.detail
    assert set(prober.probed[0]) == set(cloud.members[5:])


def test_the_front_page_is_never_opened_because_that_counts_as_use() -> None:
    prober = FakeProber()

    a_doctor(cloud=a_cloud(3), prober=prober).examine()

    assert len(prober.probed) == 1
    assert prober.opened == []


def test_an_instance_is_asked_at_the_port_of_its_tag_and_else_at_the_pools() -> None:
    cloud, prober = a_cloud(2), FakeProber()
    tagged, plain = cloud.members
    cloud.change(tagged, port=9000)

    a_doctor(cloud=cloud, prober=prober, config=a_pool(port=8081)).examine()

    asked = prober.probed[0]
    assert asked[tagged][1] == 9000
    assert asked[plain][1] == 8081


def test_where_none_answers_the_remedy_names_firewall_address_and_port() -> None:
    found = reach(a_doctor(cloud=a_cloud(3), prober=FakeProber(ready=())))

    assert found.verdict is Verdict.FAILURE
    assert "0 of 3" in found.detail
    assert "security group" in found.remedy
    assert "ORCHESTRATOR_ADDRESS" in found.remedy
    assert "ORCHESTRATOR_INSTANCE_PORT" in found.remedy
    assert "ORCHESTRATOR_READINESS_PATH" in found.remedy


def test_a_probe_over_tcp_has_no_path_to_mend() -> None:
    found = reach(a_doctor(cloud=a_cloud(3), prober=FakeProber(ready=()), config=a_pool(readiness="tcp")))

    assert "ORCHESTRATOR_READINESS_PATH" not in found.remedy


def test_where_some_answer_the_way_is_open_and_the_silent_ones_are_named() -> None:
    cloud = a_cloud(3)
    silent, *ready = cloud.members

    found = reach(a_doctor(cloud=cloud, prober=FakeProber(ready=ready)))

    assert found.verdict is Verdict.WARNING
    assert "2 of 3" in found.detail
    assert silent in found.detail


def test_where_none_answers_yet_all_of_them_new_is_only_a_warning() -> None:
    cloud = a_cloud(3)

    found = reach(a_doctor(cloud=cloud, prober=FakeProber(ready=()), now=NOW))

    assert found.verdict is Verdict.WARNING
    assert "300 s" in found.detail


@pytest.mark.parametrize(("kind", "other"), [("public", "private"), ("private", "public")])
def test_members_without_the_address_that_is_set_are_a_failure_that_names_the_other(
    kind: str, other: str
) -> None:
    cloud = a_cloud(2)
    for instance in cloud.members:
        cloud.change(instance, address=None)

    found = reach(a_doctor(cloud=cloud, config=a_pool(address=kind)))

    assert found.verdict is Verdict.FAILURE
    assert kind in found.detail
    assert f"Set ORCHESTRATOR_ADDRESS to {other}" in found.remedy


def test_with_no_member_in_service_nothing_is_known_of_the_way() -> None:
    prober = FakeProber()

    found = reach(a_doctor(cloud=FakeCloud(desired=3, boot_looks=None), prober=prober))

    assert found.verdict is Verdict.UNKNOWN
    assert prober.probed == []


def test_without_a_probe_nothing_is_claimed() -> None:
    prober = FakeProber()

    found = reach(a_doctor(cloud=a_cloud(3), prober=prober, config=a_pool(readiness="off")))

    assert found.verdict is Verdict.UNKNOWN
    assert "ORCHESTRATOR_READINESS" in found.detail
    assert prober.probed == []


def test_while_aws_is_away_the_way_is_unknown_and_the_reason_told() -> None:
    cloud = a_cloud(3)
    cloud.fail("observe", CloudUnavailable("no connection to AWS."))

    found = reach(a_doctor(cloud=cloud))

    assert found.verdict is Verdict.UNKNOWN
    assert "no connection to AWS." in found.detail


def test_an_instance_in_use_is_asked_like_any_other() -> None:
    cloud, prober = a_cloud(2), FakeProber()
    used: InstanceId = cloud.members[0]
    cloud.write_tags(used, "my-project", NOW)

    a_doctor(cloud=cloud, prober=prober).examine()

    assert used in prober.probed[0]


def test_nothing_is_changed_at_aws() -> None:
    cloud = a_cloud(3)

    a_doctor(cloud=cloud).examine()

    assert {name for name, *_ in cloud.calls} == {"observe"}


# Several pools


def a_doctor_of_two(
    gpu: FakePreflight | None = None, database: Callable[[], Iterable[Finding]] = tuple
) -> Doctor:
    return Doctor(
        [
            a_pool_doctor(a_pool(file="pools.toml"), preflight=FakePreflight([a_finding("group")])),
            a_pool_doctor(a_pool(GPU, file="pools.toml", readiness="off"), preflight=gpu),
        ],
        warnings=(),
        database=database,
    )


def test_what_is_common_comes_first_and_then_each_pool() -> None:
    def database() -> list[Finding]:
        return [
            a_finding("database"),
            *(replace(a_finding("owner"), pool=pool) for pool in (DEFAULT_POOL, GPU)),
        ]

    findings = a_doctor_of_two(FakePreflight([a_finding("group")]), database).examine()

    assert [(finding.check, finding.pool) for finding in findings] == [
        ("settings", None),
        ("database", None),
        *((check, DEFAULT_POOL) for check in ("settings", "owner", "group", REACH)),
        *((check, GPU) for check in ("settings", "owner", "group", REACH)),
    ]
    assert findings[0].detail == "All are valid: 2 pools, named in pools.toml."
    assert "group 'gpu-asg' in eu-west-1" in findings[6].detail


def test_a_check_that_breaks_in_one_pool_leaves_the_other_alone() -> None:
    findings = a_doctor_of_two(FakePreflight(error=ValueError("out of cheese"))).examine()

    broke = [finding for finding in findings if "out of cheese" in finding.detail]
    assert [finding.pool for finding in broke] == [GPU]
    assert any(finding.check == "group" and finding.pool == DEFAULT_POOL for finding in findings)


def test_one_pool_can_be_asked_for() -> None:
    findings = a_doctor_of_two().examine(GPU)

    assert {finding.pool for finding in findings} == {None, GPU}


def test_a_pool_that_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(PoolNotFound, match="There are: default, gpu"):
        a_doctor_of_two().examine(PoolName("another"))


def test_what_to_mend_is_named_where_the_pool_is_set() -> None:
    found = [finding for finding in a_doctor_of_two().examine(GPU) if finding.check == REACH]

    assert found[0].detail == "Not tried: pools.gpu.readiness in pools.toml is off."
