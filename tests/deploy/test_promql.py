"""The check of expressions finds what it is there for."""

import pytest

from app.telemetry.families import FAMILIES
from tests.deploy import promql

WRONG = {
    "sum(": "not PromQL: unclosed left parenthesis",
    "ec2_orchestrator_nonsense": "there is no metric ec2_orchestrator_nonsense",
    "ec2_orchestrator_allocation_seconds": "there is no metric ec2_orchestrator_allocation_seconds",
    'ec2_orchestrator_buffer{state="idle"}': "ec2_orchestrator_buffer: has no label state",
    'ec2_orchestrator_instances{state="dead"}': "ec2_orchestrator_instances: state is never dead",
    'ec2_orchestrator_warning{code=~"leak|dead"}': "ec2_orchestrator_warning: code is never dead",
    'ec2_orchestrator_warning{code="forbidden"}': "ec2_orchestrator_warning: code is never forbidden",
    'ec2_orchestrator_instances{pool="$pool"}': (
        "ec2_orchestrator_instances: several pools may be chosen: =~ is needed"
    ),
    'up{job="other"}': "up: there is no job other",
    "sum by (pool) (up)": "nothing has the label pool any more",
    "sum by (state) (max by (pool) (ec2_orchestrator_instances))": "nothing has the label state any more",
    "rate(ec2_orchestrator_buffer[5m])": "rate() of ec2_orchestrator_buffer",
    "changes(ec2_orchestrator_passes_total[5m])": "changes() of ec2_orchestrator_passes_total",
    "histogram_quantile(0.9, sum by (job) (rate(ec2_orchestrator_pass_seconds_bucket[5m])))": (
        "histogram_quantile() without le"
    ),
    "max by (job) (up) and up": "and joins ['job'] with ['instance', 'job']",
    "max by (job) (up) and on (pool) ec2_orchestrator_buffer": "one side has no label pool",
}


@pytest.mark.parametrize("expression", WRONG)
def test_what_cannot_be_true_is_found(expression: str) -> None:
    assert promql.look(expression).faults == [WRONG[expression]]


def test_a_result_has_the_labels_that_it_was_joined_by() -> None:
    ratio = "sum by (job) (up) / on (job) sum by (job) (ec2_orchestrator_leader)"

    assert promql.look(ratio) == promql.Finding(frozenset({"job"}), [])


def test_every_metric_of_the_code_is_known() -> None:
    names = {name.removesuffix("_bucket") for name in promql.metrics()}

    assert {family.name for family in FAMILIES} <= names
