"""What is wrong with an expression of PromQL, held against the metrics that the code has.

The parser knows the grammar alone. So labels are followed here from the inside out: which a result still has,
and whether what is asked of them can be true.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Any

import promql_parser as promql
from promql_parser import AggModifierType, LabelModifierType, MatchOp

from app.domain.errors import CloudError
from app.telemetry.families import AWS_CALLS, FAMILIES, HTTP_REQUESTS, LIMITED, WARNING, Kind
from app.web.docs import meanings

SCRAPE = frozenset({"job", "instance"})
"""Labels that Prometheus puts on each series."""

VARIABLES = {"job": "$job", "pool": "$pool"}
"""Labels that a dashboard's variables may stand for."""

JOB = "ec2-orchestrator"
_COUNTED = frozenset({"rate", "increase"})
_SETS = frozenset({"and", "unless"})


@dataclass
class Metric:
    """A series by its name."""

    labels: frozenset[str]
    values: dict[str, frozenset[str]] = field(default_factory=dict)
    """For each label that has but a few."""
    counts: bool = False
    """It only grows, until its process is started anew."""


@cache
def metrics() -> dict[str, Metric]:
    """Return every series there is: a histogram is three."""
    found = {
        "up": Metric(SCRAPE),
        "ALERTS": Metric(
            SCRAPE | {"alertname", "alertstate", "service", "severity"},
            {"alertstate": frozenset({"pending", "firing"}), "service": frozenset({JOB})},
        ),
    }
    for family in FAMILIES:
        labels = SCRAPE | set(family.label_names)
        values = {label.name: frozenset(label.values) for label in family.labels if label.values}
        if family.kind is Kind.HISTOGRAM:
            found[f"{family.name}_bucket"] = Metric(labels | {"le"}, values, counts=True)
            found[f"{family.name}_sum"] = Metric(labels, values, counts=True)
            found[f"{family.name}_count"] = Metric(labels, values, counts=True)
        else:
            found[family.name] = Metric(labels, values, counts=family.kind is Kind.COUNTER)
    found[WARNING.name].values["code"] = warning_codes()
    found[HTTP_REQUESTS.name].values["status"] = frozenset(str(int(one)) for one in HTTPStatus)
    assert found[AWS_CALLS.name].values["outcome"]
    assert found[LIMITED.name].values["limited_by"]
    return found


def error_codes(kind: type[CloudError] = CloudError) -> frozenset[str]:
    """Return the code of everything that AWS may answer but what was asked for."""
    return frozenset({kind.code}).union(*(error_codes(below) for below in kind.__subclasses__()))


def warning_codes() -> frozenset[str]:
    """Return every code that a warning may have: what AWS answered is one, too."""
    return frozenset(code for code, _, _ in meanings.warnings()) | error_codes()


@dataclass
class Finding:
    """What is known of an expression."""

    labels: frozenset[str] | None
    """Those that its result has; None where it is a single number without any."""
    faults: list[str]


def look(text: str) -> Finding:
    """Parse an expression, and follow its labels."""
    for variable, value in (("$__rate_interval", "1m"), ("$__interval", "1m"), ("$__range", "1h")):
        text = text.replace(variable, value)
    try:
        parsed = promql.parse(text)
    except ValueError as error:
        return Finding(frozenset(), [f"not PromQL: {error}"])
    faults: list[str] = []
    return Finding(_Follower(faults).follow(parsed), faults)


class _Follower:
    def __init__(self, faults: list[str]) -> None:
        self._faults = faults
        self._metrics = metrics()

    def follow(self, expression: Any) -> frozenset[str] | None:  # noqa: PLR0911 - a table of cases
        match expression:
            case promql.VectorSelector():
                return self._selected(expression)
            case promql.MatrixSelector():
                return self._selected(expression.vector_selector)
            case promql.AggregateExpr():
                return self._aggregated(expression)
            case promql.Call():
                return self._called(expression)
            case promql.BinaryExpr():
                return self._joined(expression)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                return self.follow(expression.expr)
            case promql.NumberLiteral() | promql.StringLiteral():
                return None
        raise AssertionError(f"unknown: {expression}")

    def _selected(self, selector: promql.VectorSelector) -> frozenset[str]:
        metric = self._metrics.get(selector.name or "")
        if metric is None:
            self._faults.append(f"there is no metric {selector.name}")
            return frozenset()
        for matcher in selector.matchers.matchers:
            self._faults += [
                f"{selector.name}: {problem}" for problem in _matched(matcher.name, matcher, metric)
            ]
        return metric.labels

    def _aggregated(self, expression: promql.AggregateExpr) -> frozenset[str]:
        labels = self.follow(expression.expr) or frozenset()
        modifier = expression.modifier
        if modifier is None:
            return frozenset()
        named = frozenset(modifier.labels)
        self._faults += [f"nothing has the label {name} any more" for name in sorted(named - labels)]
        return named if modifier.type == AggModifierType.By else labels - named

    def _called(self, call: promql.Call) -> frozenset[str] | None:
        name, inside = call.func.name, [self.follow(argument) for argument in call.args]
        labels = next((one for one in reversed(inside) if one is not None), None)
        if name == "absent":
            (selector,) = call.args
            equal = (one for one in selector.matchers.matchers if one.op == MatchOp.Equal)
            return frozenset(one.name for one in equal)
        ranges = [one for one in call.args if isinstance(one, promql.MatrixSelector)]
        for selector in (one.vector_selector for one in ranges):
            metric = self._metrics.get(selector.name or "")
            if metric is not None and metric.counts != (name in _COUNTED):
                self._faults.append(f"{name}() of {selector.name}")
        if name == "histogram_quantile":
            if labels is None or "le" not in labels:
                self._faults.append("histogram_quantile() without le")
            return (labels or frozenset()) - {"le"}
        return labels

    def _joined(self, expression: promql.BinaryExpr) -> frozenset[str] | None:
        left, right = self.follow(expression.lhs), self.follow(expression.rhs)
        if left is None or right is None:
            return right if left is None else left
        operation, matching = str(expression.op), expression.modifier and expression.modifier.matching
        on = None
        if matching:
            assert matching.type == LabelModifierType.Include, "ignoring is not followed"
            on = frozenset(matching.labels)
            self._faults += [f"one side has no label {name}" for name in sorted(on - (left & right))]
        if operation == "or":
            return left & right
        if on is None and left != right:
            self._faults.append(f"{operation} joins {sorted(left)} with {sorted(right)}")
        return left if operation in _SETS or on is None else on


def _matched(name: str, matcher: promql.Matcher, metric: Metric) -> Iterator[str]:
    """Tell what is wrong with a condition: a label there is not, or a value it never has."""
    if name not in metric.labels:
        yield f"has no label {name}"
        return
    regular = matcher.op in (MatchOp.Re, MatchOp.NotRe)  # they cannot be hashed
    if name in VARIABLES and matcher.value == VARIABLES[name]:
        if name == "pool" and not regular:
            yield "several pools may be chosen: =~ is needed"
        return
    if name == "job" and matcher.value != JOB:
        yield f"there is no job {matcher.value}"
    known = metric.values.get(name)
    if known is None:
        if name != "job":
            yield f"which values {name} may have is not known"
        return
    for value in matcher.value.split("|") if regular else [matcher.value]:
        if not any(re.fullmatch(value, one) if regular else value == one for one in known):
            yield f"{name} is never {value}"
