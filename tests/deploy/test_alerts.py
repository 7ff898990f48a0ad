"""The alerts of deploy/prometheus: promtool is not to be had from PyPI, so what it would find is found here.

What it takes Prometheus itself to see, the scenes of alerts_test.yml say: promtool test rules.
"""

import re

import pytest

from tests.deploy import files, promql

ALERTS = {alert.alert: alert for alert in files.alerts()}
SCENES = files.scenes()
every_alert = pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)


def test_no_two_alerts_have_one_name() -> None:
    assert len(ALERTS) == len(files.alerts())


@every_alert
def test_its_expression_can_be_true(alert: files.Alert) -> None:
    assert promql.look(alert.expr).faults == []


@every_alert
def test_it_tells_installations_apart(alert: files.Alert) -> None:
    assert "job" in (promql.look(alert.expr).labels or ())


@every_alert
def test_its_texts_name_only_labels_that_it_has(alert: files.Alert) -> None:
    told = alert.annotations.summary + alert.annotations.description
    labels = promql.look(alert.expr).labels or frozenset()

    assert set(re.findall(r"\$labels\.(\w+)", told)) <= labels


@every_alert
def test_its_summary_names_what_it_is_about(alert: files.Alert) -> None:
    about = (promql.look(alert.expr).labels or frozenset()) - {"job"}

    assert [label for label in about if f"$labels.{label}" not in alert.annotations.summary] == []


@every_alert
def test_a_scene_says_when_it_fires(alert: files.Alert) -> None:
    asked = [question for scene in SCENES.tests for question in scene.promql_expr_test]
    fired = " ".join(sample.labels for question in asked for sample in question.exp_samples)

    assert f'alertname="{alert.alert}"' in fired


def test_every_scene_asks_something() -> None:
    assert [scene.name for scene in SCENES.tests if not scene.promql_expr_test + scene.alert_rule_test] == []


def test_every_series_of_the_scenes_can_be_told() -> None:
    told = {one.series for scene in SCENES.tests for one in scene.input_series}

    # Which actions and routes there are, only AWS and the web know.
    unknown = re.compile(r"which values (action|instance|method|pool|route|le) may have is not known")
    faults = [fault for series in told for fault in promql.look(series).faults]

    assert [fault for fault in faults if not unknown.search(fault)] == []


def test_scenes_are_of_these_alerts() -> None:
    assert SCENES.rule_files == ["alerts.yml"]


class TestTheExampleOfAConfiguration:
    def test_it_reads_the_alerts(self) -> None:
        assert files.prometheus()["rule_files"] == ["alerts.yml"]

    def test_its_one_job_is_the_one_that_the_alerts_know(self) -> None:
        assert [job["job_name"] for job in files.prometheus()["scrape_configs"]] == [promql.JOB]

    def test_it_asks_two_services_each_by_itself(self) -> None:
        (job,) = files.prometheus()["scrape_configs"]

        assert [len(group["targets"]) for group in job["static_configs"]] == [2]

    def test_a_scrape_may_take_as_long_as_a_database_that_is_away_is_waited_for(self) -> None:
        (job,) = files.prometheus()["scrape_configs"]

        assert job["scrape_timeout"] == "10s"

    def test_it_uses_the_path_that_prometheus_has_by_itself(self) -> None:
        (job,) = files.prometheus()["scrape_configs"]

        assert "metrics_path" not in job
