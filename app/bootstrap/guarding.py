"""Who may use the service: the gate of a running one, and the desk that the command line makes tokens at."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.bootstrap.clock import SystemClock
from app.domain.errors import RegistryUnavailable, RegistryUnusable, SettingsInvalid
from app.domain.finding import Finding, Verdict
from app.ports import Clock
from app.registry.database import file_of, open_database, parsed
from app.registry.inspection import is_there, open_any
from app.registry.tokens import SqlTokens
from app.registry.transactions import Transactions
from app.service.access import Gate
from app.service.attempts import Attempts
from app.service.standing import Standing, Uses
from app.service.tokens import TokenDesk
from app.settings import Settings

_MAKE_ONE = "ec2-orchestrator token create NAME --role admin"
_LAPSED = "All tokens have expired: nobody can enter."


def gate_of(settings: Settings, transactions: Transactions, clock: Clock) -> Gate:
    """Make the gate that each request passes."""
    tokens = SqlTokens(transactions)
    return Gate(
        standing=Standing(tokens, monotonic=time.monotonic),
        uses=Uses(tokens),
        attempts=Attempts(monotonic=time.monotonic),
        clock=clock,
        admin_token=None if settings.admin_token is None else settings.admin_token.get_secret_value(),
        always_open=settings.auth == "off",
        local=settings.bind_is_loopback and not settings.proxy_hops,
        open_while_unused=settings.auth == "auto" and settings.bind_is_loopback,
    )


def refuse_unguarded(settings: Settings, gate: Gate) -> None:
    """Raise SettingsInvalid where the service must not be open, and nobody has a token for it."""
    if not gate.barred:
        return
    make_one = f"make a token ({_MAKE_ONE})"
    if settings.auth == "on":
        raise SettingsInvalid(
            f"ORCHESTRATOR_AUTH=on needs a token: {make_one}, or set ORCHESTRATOR_ADMIN_TOKEN"
        )
    raise SettingsInvalid(
        f"ORCHESTRATOR_BIND={settings.bind} can be reached by others, who could end any instance: "
        f"{make_one}, set ORCHESTRATOR_ADMIN_TOKEN, or ORCHESTRATOR_AUTH=off if something else guards the "
        "service"
    )


def guard_warnings(gate: Gate) -> tuple[str, ...]:
    """Tell what is allowed but should be known about the tokens; may raise RegistryUnavailable."""
    return (f"{_LAPSED} Make one: {_MAKE_ONE}.",) if gate.lapsed else ()


def examine_guard(settings: Settings) -> list[Finding]:
    """Tell who may use the service; nothing where the database cannot tell. Never raises."""
    try:
        with open_any(settings.database_url) as engine:
            transactions = Transactions(engine)
            count = len(SqlTokens(transactions).standing())
            gate = gate_of(settings, transactions, SystemClock())
            is_open, lapsed = gate.open, gate.lapsed
            refuse_unguarded(settings, gate)
    except SettingsInvalid as error:
        return [Finding(check="access", verdict=Verdict.FAILURE, detail=f"{error.detail}.", remedy=_MAKE_ONE)]
    except (RegistryUnusable, RegistryUnavailable):  # which another check tells
        return []
    if lapsed:
        return [Finding(check="access", verdict=Verdict.WARNING, detail=_LAPSED, remedy=_MAKE_ONE)]
    kept = f"{count or 'no'} token{'' if count == 1 else 's'} in the database"
    if settings.admin_token is not None:
        kept += ", and the admin token of the settings"
    if not is_open:
        told = f"Every request needs a token: there {'is' if count == 1 else 'are'} {kept}."
    elif settings.auth == "off":
        told = "It is open, as ORCHESTRATOR_AUTH=off says: something else must guard it."
        if gate.local:
            told = "It is open to this machine, as ORCHESTRATOR_AUTH=off says, whatever tokens there are."
    else:
        told = "It is open to this machine alone, until the first token is made."
    return [Finding(check="access", verdict=Verdict.OK, detail=told)]


@dataclass(frozen=True, slots=True)
class OpenDesk:
    """What the command line makes, lists and revokes tokens at."""

    desk: TokenDesk
    database: str
    """Where they are kept, for people: without a password."""
    new: bool = False
    """Whether the database was made just now."""


@contextmanager
def token_desk(settings: Settings, *, changes: bool, makes: bool = False) -> Iterator[OpenDesk]:
    """Open the database for the command line, to look or to make `changes`.

    Where it is not there yet, it is made if that `makes` it; otherwise this raises RegistryUnusable: in a
    wrong folder, "no such token" would leave a good one in force.
    """
    name, file = _place(settings.database_url)
    if not makes and not is_there(settings.database_url):
        raise RegistryUnusable(
            f"There is no database of the service at {name}. Run this where the service runs, with its "
            "settings (ORCHESTRATOR_DATABASE_URL, .env)."
        )
    if not changes:
        with open_any(settings.database_url) as engine:
            yield OpenDesk(_desk(Transactions(engine)), name)
        return
    new = file is not None and not file.exists()
    transactions = Transactions(open_database(settings.database_url, connections=2))
    try:
        yield OpenDesk(_desk(transactions), name, new)
    finally:
        transactions.close()


def _place(url: str) -> tuple[str, Path | None]:
    """Name a database so that it can be found from anywhere, and its file."""
    where = parsed(url)
    if where.get_backend_name() != "sqlite":
        return where.render_as_string(hide_password=True), None
    file = file_of(where).absolute()
    return str(file), file


def _desk(transactions: Transactions) -> TokenDesk:
    return TokenDesk(tokens=SqlTokens(transactions), clock=SystemClock(), chance=secrets.token_bytes)
