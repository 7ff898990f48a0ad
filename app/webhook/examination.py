"""What `ec2-orchestrator doctor` says of the webhook: whether its name leads anywhere, and may."""

from urllib.parse import urlsplit

from app.domain.finding import Finding, Verdict
from app.webhook.addresses import Lookup, Refused, addresses, look_up

_TRY = "Nothing was sent; to see that messages arrive: ec2-orchestrator webhooks test"


def examine_webhook(url: str | None, *, link_local: bool = False, lookup: Lookup = look_up) -> Finding:
    """Look its host up, and judge where it leads; None: there is no webhook. Never raises."""
    if url is None:
        return Finding(check="webhook", verdict=Verdict.OK, detail="There is none: nobody is told anything.")
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = addresses(host, port, link_local=link_local, lookup=lookup)
    except Refused as refused:
        return Finding(
            check="webhook",
            verdict=Verdict.FAILURE,
            detail=f"Messages to {host} are not sent: {refused}.",
            remedy="Correct the name, or ORCHESTRATOR_WEBHOOK_URL; where that is meant: "
            "ORCHESTRATOR_WEBHOOK_LINK_LOCAL=on",
        )
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be looked up"
        return Finding(
            check="webhook",
            verdict=Verdict.WARNING,
            detail=f"{host} has no address here: {why}.",
            remedy="See that this machine's name servers know it, or correct ORCHESTRATOR_WEBHOOK_URL",
        )
    where = found[0] if found[0] == host else f"{host} leads to {found[0]}"
    return Finding(check="webhook", verdict=Verdict.OK, detail=f"{where}, port {port}. {_TRY}.")
