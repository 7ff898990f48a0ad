"""What the doctor says of the webhook: its name and where that leads, and nothing of the path."""

import socket
from collections.abc import Sequence

from app.domain.finding import Finding, Verdict
from app.webhook import examine_webhook

URL = "https://hooks.example.com/T000/s3cr3t"


def looked_at(*found: str, error: OSError | None = None, link_local: bool = False) -> Finding:
    def lookup(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("hooks.example.com", 443)
        if error is not None:
            raise error
        return found

    return examine_webhook(URL, link_local=link_local, lookup=lookup)


def test_without_a_webhook_there_is_nothing_to_look_at() -> None:
    assert examine_webhook(None).verdict is Verdict.OK


def test_a_name_that_leads_somewhere_is_fine() -> None:
    finding = looked_at("54.123.45.67")

    assert finding.verdict is Verdict.OK
    assert finding.detail.startswith("hooks.example.com leads to 54.123.45.67, port 443.")
    assert "s3cr3t" not in finding.detail


def test_a_name_that_leads_to_secrets_is_a_failure() -> None:
    finding = looked_at("169.254.169.254")

    assert finding.verdict is Verdict.FAILURE
    assert "LINK_LOCAL=on" in finding.remedy
    assert looked_at("169.254.169.254", link_local=True).verdict is Verdict.OK


def test_a_name_that_nobody_knows_is_a_warning() -> None:
    finding = looked_at(error=socket.gaierror(-2, "Name or service not known"))

    assert finding.verdict is Verdict.WARNING
    assert finding.detail == "hooks.example.com has no address here: Name or service not known."
