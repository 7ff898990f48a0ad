"""What is counted, and what is printed of it: in one process, read back by prometheus_client's parsers."""

import re
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed

from app.aws import errors
from app.domain.errors import CloudError, CloudUnavailable, OutcomeUnknown
from app.domain.model import DEFAULT_POOL, InstanceState, Limit, PoolName
from app.ports import AllocationOutcome
from app.telemetry.exposition import Figures, PoolFigures, written
from app.telemetry.families import AWS_ERRORS, FAMILIES, Kind, Source
from app.telemetry.metrics import Metrics
from app.telemetry.probes import MeteredProber
from tests.builders import an_instance_id
from tests.fakes import FakeMeter, FakeProber

P = "ec2_orchestrator_"
GPU = PoolName("gpu")
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def pool(**figures: Any) -> PoolFigures:
    plain: dict[str, Any] = {"pool": DEFAULT_POOL, "states": {}, "held": 0, "buffer": 5, "waiting": 0}
    return PoolFigures(**{**plain, **figures})


def drive(metrics: Metrics) -> None:
    """Let everything happen that a process may count."""
    for outcome in AllocationOutcome:
        metrics.allocated(DEFAULT_POOL, outcome, 0.004)
    metrics.became_ready(DEFAULT_POOL, 42)
    metrics.passed(DEFAULT_POOL, succeeded=True, took=0.2)
    metrics.passed(DEFAULT_POOL, succeeded=False, took=4)
    metrics.leads(True)
    metrics.aws_answered("ec2:DescribeInstances", "ok", 0.1)
    metrics.aws_answered("ec2:DescribeInstances", "aws-throttled", 0.1)
    metrics.probed(DEFAULT_POOL, ready=3, silent=1)
    metrics.request_answered("GET", "/v1/pools/{name}", 200, 0.002)


def page(metrics: Metrics, *pools: PoolFigures, term: int | None = 7) -> str:
    return written(metrics, Figures(pools=pools, term=term)).body.decode()


def samples(text: str) -> Samples:
    """The samples of a page: by name, and then by their labels."""
    found: Samples = {}
    for family in parsed(text):
        for one in family.samples:
            found.setdefault(one.name, {})[tuple(sorted(one.labels.items()))] = one.value
    return found


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[P + name][tuple(sorted(labels.items()))]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics([DEFAULT_POOL], version="1.2.3")


# What is counted


def test_each_outcome_of_an_allocation_is_counted_apart(metrics: Metrics) -> None:
    for outcome in (AllocationOutcome.WARM, AllocationOutcome.WARM, AllocationOutcome.EMPTY):
        metrics.allocated(DEFAULT_POOL, outcome, 0.004)

    counts = samples(page(metrics))[f"{P}allocations_total"]
    assert {dict(labels)["outcome"]: count for labels, count in counts.items()} == {
        "warm": 2,
        "empty": 1,
        "waited": 0,
        "repeated": 0,
    }


def test_a_time_is_counted_in_its_bucket_and_all_above(metrics: Metrics) -> None:
    metrics.allocated(DEFAULT_POOL, AllocationOutcome.WARM, 0.004)

    buckets = samples(page(metrics))[f"{P}allocation_seconds_bucket"]
    warm = {
        dict(labels)["le"]: count for labels, count in buckets.items() if dict(labels)["outcome"] == "warm"
    }
    assert [end for end, count in warm.items() if count == 0] == ["0.001", "0.0025"]


def test_counters_of_every_pool_stand_at_zero_before_anything_happens() -> None:
    """Otherwise a rate would not see the first one."""
    text = page(Metrics([DEFAULT_POOL, GPU]))

    for name, outcomes in (("allocations", 4), ("passes", 2), ("probes", 2), ("heartbeats", 2)):
        counts = samples(text)[f"{P}{name}_total"]
        assert len(counts) == 2 * outcomes
        assert set(counts.values()) == {0}


def test_times_of_every_pool_stand_at_zero_before_anything_happens() -> None:
    found = samples(page(Metrics([DEFAULT_POOL, GPU])))

    for name, outcomes in (("allocation_seconds", 4), ("launch_to_ready_seconds", 1), ("pass_seconds", 1)):
        assert len(found[f"{P}{name}_count"]) == 2 * outcomes
        assert {*found[f"{P}{name}_count"].values(), *found[f"{P}{name}_bucket"].values()} == {0}


@pytest.mark.parametrize("leads", [True, False])
def test_whether_this_process_leads_is_told(metrics: Metrics, leads: bool) -> None:
    metrics.leads(not leads)
    metrics.leads(leads)

    assert value(page(metrics), "leader") == leads


def test_methods_that_somebody_made_up_are_one(metrics: Metrics) -> None:
    for number in range(100):
        metrics.request_answered(f"BREW{number}", "unmatched", 405, 0.001)

    assert samples(page(metrics))[f"{P}http_requests_total"] == {
        (("method", "other"), ("route", "unmatched"), ("status", "405")): 100
    }


def test_the_version_that_runs_is_told(metrics: Metrics) -> None:
    assert value(page(metrics), "build_info", version="1.2.3") == 1


def test_two_in_one_process_count_apart(metrics: Metrics) -> None:
    other = Metrics([DEFAULT_POOL])
    other.allocated(DEFAULT_POOL, AllocationOutcome.WARM, 0.004)

    assert value(page(metrics), "allocations_total", pool="default", outcome="warm") == 0


def test_probes_are_counted_by_what_came_of_them() -> None:
    meter, (ready, silent) = FakeMeter(), (an_instance_id(), an_instance_id())
    prober = MeteredProber(FakeProber(ready={ready}), GPU, meter)

    answered = prober.probe({ready: ("10.0.0.1", 8080), silent: ("10.0.0.2", 8080)})

    assert answered == {ready}
    assert meter.probes == [(GPU, 1, 1)]


def test_a_front_page_that_is_opened_is_no_probe() -> None:
    meter, instance = FakeMeter(), an_instance_id()

    assert MeteredProber(FakeProber(), GPU, meter).opens({instance: ("10.0.0.1", 8080)}) == {instance}
    assert meter.probes == []


def test_heartbeats_are_counted_by_whether_they_were_told(metrics: Metrics) -> None:
    metrics.heard(DEFAULT_POOL, told=3, silent=1)

    text = page(metrics)
    assert value(text, "heartbeats_total", pool="default", outcome="told") == 3
    assert value(text, "heartbeats_total", pool="default", outcome="silent") == 1


# What is read from the database


def test_every_state_has_a_figure_also_where_it_is_none(metrics: Metrics) -> None:
    text = page(metrics, pool(states={InstanceState.IDLE: 3, InstanceState.ALLOCATED: 7}, held=1))

    counts = samples(text)[f"{P}instances"]
    assert {dict(labels)["state"]: count for labels, count in counts.items()} == {
        "booting": 0,
        "idle": 3,
        "allocated": 7,
        "terminating": 0,
        "held": 1,
    }


@pytest.mark.parametrize(("idle", "missing"), [(0, 5), (3, 2), (5, 0), (9, 0)])
def test_the_deficit_is_what_is_missing_from_the_buffer(metrics: Metrics, idle: int, missing: int) -> None:
    text = page(metrics, pool(states={InstanceState.IDLE: idle}, buffer=5))

    assert value(text, "buffer_deficit", pool="default") == missing


def test_sizes_that_are_not_known_are_left_out(metrics: Metrics) -> None:
    found = samples(page(metrics, pool(desired=8)))

    assert found[f"{P}desired_capacity"] == {(("pool", "default"),): 8}
    assert not {f"{P}min_size", f"{P}max_size"} & found.keys()


def test_what_limits_a_pool_is_one_among_all_that_could(metrics: Metrics) -> None:
    limited = samples(page(metrics, pool(limited_by=Limit.QUOTA)))[f"{P}limited"]

    assert len(limited) == len(Limit)
    assert [dict(labels)["limited_by"] for labels, one in limited.items() if one] == ["quota"]


def test_a_warning_that_stands_twice_is_told_once(metrics: Metrics) -> None:
    warnings = samples(page(metrics, pool(warnings=["leak", "no-pass", "leak"])))[f"{P}warning"]

    assert {dict(labels)["code"]: one for labels, one in warnings.items()} == {"leak": 1, "no-pass": 1}


def test_where_no_pass_ever_succeeded_its_age_is_without_end(metrics: Metrics) -> None:
    text = page(metrics, pool(), pool(pool=GPU, last_pass_age=3.5))

    assert value(text, "last_pass_age_seconds", pool="default") == float("inf")
    assert value(text, "last_pass_age_seconds", pool="gpu") == 3.5


def test_while_nobody_leads_there_is_no_term(metrics: Metrics) -> None:
    assert f"{P}leadership_term" not in samples(page(metrics, term=None))


def test_a_database_that_is_away_takes_its_own_figures_with_it_and_no_others(metrics: Metrics) -> None:
    drive(metrics)
    here = samples(page(metrics, pool(desired=5, min_size=0, max_size=9, warnings=["leak"])))

    away = samples(written(metrics, None).body.decode())

    assert away.pop(f"{P}registry_up") == {(): 0}
    assert here.pop(f"{P}registry_up") == {(): 1}
    read = {family.name for family in FAMILIES if family.source is Source.REGISTRY}
    assert away == {name: found for name, found in here.items() if name not in read}


# How it is printed


def test_every_metric_is_printed_with_its_type_and_meaning(metrics: Metrics) -> None:
    text = page(metrics)

    printed = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert printed == [(family.name, family.kind.value) for family in FAMILIES]
    for family in FAMILIES:
        assert f"# HELP {family.name} {family.meaning}\n" in text


def test_a_label_has_no_other_values_than_those_that_are_documented(metrics: Metrics) -> None:
    drive(metrics)
    text = page(metrics, pool(desired=5, min_size=0, max_size=9, warnings=["leak"]))

    for family in FAMILIES:
        suffix = "_bucket" if family.kind is Kind.HISTOGRAM else ""
        for labels in samples(text)[family.name + suffix]:
            found = {name: told for name, told in labels if name != "le"}
            assert found.keys() == set(family.label_names)
            for label in family.labels:
                assert not label.values or found[label.name] in label.values


def test_it_is_openmetrics_for_who_asks_for_it(metrics: Metrics) -> None:
    drive(metrics)
    figures = Figures(pools=[pool(warnings=["leak"])], term=7)

    text, media = written(metrics, figures, as_openmetrics=True)

    assert media.startswith("application/openmetrics-text; version=1.0.0")
    read = parsed_openmetrics(text.decode())  # type: ignore[no-untyped-call]
    assert {family.name for family in read} == {family.bare_name for family in FAMILIES}


def test_nothing_tells_when_a_count_began(metrics: Metrics) -> None:
    """Workers that count together have begun at different times."""
    drive(metrics)

    assert "_created" not in page(metrics)


# Names, as Prometheus wants them: https://prometheus.io/docs/practices/naming/


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_name_begins_with_ours_and_ends_as_its_type_wants(family: Any) -> None:
    assert re.fullmatch(r"ec2_orchestrator_[a-z]+(_[a-z]+)*", family.name)
    assert (family.kind is Kind.COUNTER) == family.name.endswith("_total")
    assert (family.kind is not Kind.HISTOGRAM) or family.unit == "seconds"
    assert sorted(family.buckets) == list(family.buckets)
    assert (family.kind is Kind.HISTOGRAM) == bool(family.buckets)


def test_every_error_that_a_call_of_aws_may_end_with_is_among_the_outcomes() -> None:
    raised: set[type[CloudError]] = {
        *errors._BY_CODE.values(),
        *(kind for _, kind in errors._BY_MESSAGE),
        errors.InvalidRequest,
        CloudUnavailable,
        OutcomeUnknown,
    }

    assert {kind.code for kind in raised} == {kind.code for kind in AWS_ERRORS}
