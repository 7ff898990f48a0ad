"""The files of deploy/, read strictly: what Prometheus or Grafana would not know is refused."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana" / "ec2-orchestrator.json"
RUNBOOKS = ROOT / "docs" / "howto" / "runbooks.md"


def _not_blank(text: str) -> str:
    assert text.strip()
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
Time = Annotated[str, Field(pattern=r"^([0-9]+[smhd])+$")]


class Strict(BaseModel):
    """Knows all its keys."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


class Annotations(Strict):
    summary: Text
    description: Text
    runbook_url: Text


class AlertLabels(Strict):
    severity: Literal["page", "ticket"]
    service: Literal["ec2-orchestrator"]


class Alert(Strict):
    """A rule that alerts; there is no other kind in our file."""

    alert: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]+$")]
    expr: Text
    lasting: Time | None = Field(default=None, alias="for")
    labels: AlertLabels
    annotations: Annotations


class Group(Strict):
    name: Text
    rules: list[Alert]


class RuleFile(Strict):
    groups: list[Group]


class Sample(Strict):
    labels: Text
    value: float


class Question(Strict):
    expr: Text
    eval_time: Time
    exp_samples: list[Sample]


class ExpectedAlert(Strict):
    exp_labels: dict[str, str]
    exp_annotations: Annotations


class AlertQuestion(Strict):
    alertname: str
    eval_time: Time
    exp_alerts: list[ExpectedAlert]


class Series(Strict):
    series: Text
    values: str | int


class Scene(Strict):
    """One test of promtool."""

    name: Text
    interval: Time
    input_series: list[Series]
    promql_expr_test: list[Question] = []
    alert_rule_test: list[AlertQuestion] = []


class SceneFile(Strict):
    rule_files: list[str]
    evaluation_interval: Time
    tests: list[Scene]


def _yaml(name: str) -> Any:
    return YAML(typ="safe").load(PROMETHEUS / name)


def alerts() -> list[Alert]:
    """Return every alert."""
    return [alert for group in RuleFile.model_validate(_yaml("alerts.yml")).groups for alert in group.rules]


def scenes() -> SceneFile:
    """Return the unit tests of the alerts."""
    return SceneFile.model_validate(_yaml("alerts_test.yml"))


def prometheus() -> Any:
    """Return the example of a configuration."""
    return _yaml("prometheus.yml")


class Source(Strict):
    type: Literal["prometheus"]
    uid: Literal["${datasource}"]


class Grid(Strict):
    x: int = Field(ge=0)
    y: int = Field(ge=0)
    w: int = Field(ge=1, le=24)
    h: int = Field(ge=1)


class Target(Strict):
    datasource: Source
    editor_mode: Literal["code"] = Field(alias="editorMode")
    expr: Text
    format: Literal["time_series", "table"]
    instant: bool
    range: bool
    legend: str = Field(alias="legendFormat")
    ref: Annotated[str, Field(pattern=r"^[A-Z]$")] = Field(alias="refId")


class Step(Strict):
    color: str
    value: float | None


class Thresholds(Strict):
    mode: Literal["absolute"]
    steps: list[Step] = Field(min_length=1)


class Defaults(Strict):
    unit: Text
    mappings: list[dict[str, Any]]
    thresholds: Thresholds
    color: dict[str, str]
    custom: dict[str, Any] = {}
    min: float | None = None
    decimals: int | None = None


class FieldConfig(Strict):
    defaults: Defaults
    overrides: list[dict[str, Any]]


class Panel(Strict):
    id: int
    type: Literal["stat", "timeseries", "state-timeline", "table"]
    title: Text
    description: Text
    datasource: Source
    grid: Grid = Field(alias="gridPos")
    field_config: FieldConfig = Field(alias="fieldConfig")
    options: dict[str, Any]
    targets: list[Target] = Field(min_length=1)
    transformations: list[dict[str, Any]] = []


class Row(Strict):
    id: int
    type: Literal["row"]
    title: Text
    collapsed: Literal[False]
    grid: Grid = Field(alias="gridPos")
    panels: list[Any] = Field(max_length=0)


class Variable(BaseModel):
    """One of the choices at the top; of its many keys, those that matter here."""

    name: str
    type: Literal["datasource", "query"]
    label: Text
    definition: str | None = None
    multi: bool
    includeAll: bool  # noqa: N815 - Grafana's word


class Templating(Strict):
    variables: list[Variable] = Field(alias="list")


class Dashboard(Strict):
    """Grafana's classic model, which every version up to the newest imports."""

    id: None
    uid: Annotated[str, Field(pattern=r"^[a-z0-9-]{8,40}$")]
    title: Text
    description: Text
    tags: list[str]
    panels: list[Annotated[Panel | Row, Field(discriminator="type")]]
    templating: Templating
    annotations: dict[Literal["list"], list[dict[str, Any]]]
    time: dict[Literal["from", "to"], str]
    timepicker: dict[str, Any]
    timezone: Literal["browser"]
    refresh: Time
    editable: bool
    preload: bool
    links: list[Any]
    schema_version: int = Field(alias="schemaVersion")
    version: int
    graph_tooltip: int = Field(alias="graphTooltip")
    fiscal_year: int = Field(alias="fiscalYearStartMonth")
    week_start: str = Field(alias="weekStart")


def dashboard() -> Dashboard:
    """Return the dashboard."""
    return Dashboard.model_validate(json.loads(GRAFANA.read_text()))
