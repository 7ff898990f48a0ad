"""docs/howto/runbooks.md is there for every alert, and names only what there is."""

import re
import shlex
from pathlib import Path

import botocore.session
import click
import pytest
from botocore import xform_name
from click.testing import CliRunner

from app.cli.program import program
from app.domain.model import Limit
from tests.deploy import files, promql

PAGE = files.RUNBOOKS.read_text()
ALERTS = {alert.alert: alert for alert in files.alerts()}
SECTIONS = {
    part.partition("\n")[0]: part.partition("\n")[2]
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}
BEFORE = "Before anything else"
UNUSED = None

_lines = [
    re.split(r" {2,}#|\s#\s", line)[0].strip()
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
_inline = re.findall(r"`((?:ec2-orchestrator|aws) [^`]+)`", PAGE)
COMMANDS = sorted({line.partition(" | ")[0] for line in [*_lines, *_inline]})
OURS = [line for line in COMMANDS if line.startswith("ec2-orchestrator ")]
AWS = [line for line in COMMANDS if re.match(r"aws [a-z]", line)]
GLOBAL = {"--query", "--output", "--max-items", "--region"}
"""Options of the AWS command line itself."""


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    assert SECTIONS.keys() - {BEFORE} == ALERTS.keys()


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
class TestEverySection:
    def test_is_where_the_alert_leads_to(self, alert: files.Alert) -> None:
        assert alert.annotations.runbook_url.endswith(f"/docs/howto/runbooks.md#{alert.alert.lower()}")

    def test_begins_with_how_urgent_it_is(self, alert: files.Alert) -> None:
        assert SECTIONS[alert.alert].lstrip().startswith(f"*{alert.labels.severity}: ")

    def test_says_what_it_means_how_to_see_it_what_to_do_and_when_to_call_aws(
        self, alert: files.Alert
    ) -> None:
        bold = re.findall(r"\*\*([A-Z][^*]+)\*\*", SECTIONS[alert.alert])

        assert [told for told in ("It means", "See it", "Call AWS") if told not in bold] == []
        assert {"Do", "do"} & set(re.findall(r"\*\*(\w+)\*\*", SECTIONS[alert.alert]))

    def test_stands_in_the_list_under_its_urgency(self, alert: files.Alert) -> None:
        (row,) = re.findall(r"^\| (\[.*\)) \| (\[.*\)) \|$", SECTIONS[BEFORE], re.MULTILINE)
        listed = dict(zip(("page", "ticket"), row, strict=True))

        assert f"[{alert.alert}](#{alert.alert.lower()})" in listed[alert.labels.severity]

    def test_says_for_how_long_it_has_been_so(self, alert: files.Alert) -> None:
        words = {"1m": "minute", "2m": "two minutes", "3m": "three minutes", "5m": "five minutes"}
        words |= {"10m": "ten minutes", "1h": "an hour", "2h": "two hours"}

        if alert.lasting is not None and alert.alert not in {"NoPass", "BootFailures", "InstanceLeaked"}:
            assert words[alert.lasting] in SECTIONS[alert.alert].lstrip().partition("\n")[0]


@pytest.mark.parametrize("line", OURS)
def test_a_command_of_ours_is_understood(line: str) -> None:
    for word, one in (("INSTANCE", "i-0123456789abcdef0"), ("PROJECT", "alpha"), ("NAME", "gpu")):
        line = line.replace(word, one)
    made = program(UNUSED, UNUSED)  # type: ignore[arg-type]  # nothing is run
    words = shlex.split(line)[1:]
    if words == ["--version"]:
        assert CliRunner().invoke(made, words).exit_code == 0
        return
    # With the program's own settings: a command keeps the options for help of the first context it meets.
    own = click.Context(made, **made.context_settings)
    command = made.get_command(own, words[0])

    assert command is not None
    if words[1:]:  # else it is but named
        command.make_context(words[0], words[1:], parent=own).close()


@pytest.mark.parametrize("line", AWS)
def test_a_command_of_aws_exists_with_its_options(line: str) -> None:
    _, service, action, *options = shlex.split(line)
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert action in operations
    shape = model.operation_model(operations[action]).input_shape
    known = {f"--{xform_name(name, '-')}" for name in (shape.members if shape else ())}

    assert {word for word in options if word.startswith("--")} <= known | GLOBAL


def test_commands_were_found() -> None:
    assert len(OURS) > 10
    assert len(AWS) > 10


@pytest.mark.parametrize("expression", re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL))
def test_an_expression_can_be_true(expression: str) -> None:
    assert promql.look(expression).faults == []


def test_every_limit_is_told_of() -> None:
    elsewhere = {Limit.PAUSED: "PausedTooLong", Limit.BOOT_FAILURES: "BootFailures"}

    missing = [
        limit for limit in Limit if limit not in elsewhere and f"| `{limit}` |" not in SECTIONS["Limited"]
    ]

    assert missing == []


def test_every_code_that_is_named_exists() -> None:
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", PAGE))
    others = {"ec2-orchestrator", "vscode-asg", "service-quotas", "pool-exhausted", "registry-unavailable"}

    known = promql.warning_codes() | {limit.value for limit in Limit}

    assert sorted(named - others - known) == []


def test_every_event_of_the_log_that_is_named_is_logged() -> None:
    sources = "".join(file.read_text() for file in (files.ROOT / "app").rglob("*.py"))
    named = set(re.findall(r"`((?:pass|leadership|request|registry|instance)\.[a-z_]+)`", PAGE))

    assert "pass.failed" in named
    assert [event for event in sorted(named) if f'"{event}"' not in sources] == []


def test_every_link_into_a_page_leads_to_one_of_its_headings() -> None:
    targets = re.findall(r"\]\(([\w/.-]*)#([\w-]+)\)", PAGE)

    assert [(page, anchor) for page, anchor in targets if anchor not in _anchors(page)] == []


def _anchors(page: str) -> set[str]:
    text = ((files.RUNBOOKS.parent / page) if page else files.RUNBOOKS).read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_lies_where_the_alerts_say() -> None:
    assert Path("docs/howto/runbooks.md") == files.RUNBOOKS.relative_to(files.ROOT)
