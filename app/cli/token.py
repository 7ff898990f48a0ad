"""`ec2-orchestrator token create`, `list` and `revoke`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from app.cli import output, tables, times
from app.cli.tables import Column, Table
from app.cli.wiring import Desk, Load, Surroundings
from app.domain.access import Role, Token, token_name, token_name_or_id
from app.domain.errors import InvalidTokenName, TokenNotFound

if TYPE_CHECKING:
    from app.bootstrap import OpenDesk

_EPILOG = """\b
Examples:
  ec2-orchestrator token create ci --role allocator --expires 90d
  ec2-orchestrator token list
  ec2-orchestrator token revoke ci

\b
Roles, each may do all that those before it may:
  viewer     reads everything
  allocator  allocates, renews and releases, by project
  admin      ends and holds instances, pauses pools, sets buffers

These commands read the settings of the service (ORCHESTRATOR_DATABASE_URL) and work on its database; the
service may be running or not. Run them where it runs, as the same user.
"""
_CREATE_EPILOG = """\b
Examples:
  ec2-orchestrator token create ci --role allocator --expires 90d
  TOKEN=$(ec2-orchestrator token create ci --role allocator)
  ec2-orchestrator token create grafana --role viewer --json | jq -r .token
"""
_LIST_EPILOG = """\b
Examples:
  ec2-orchestrator token list
  ec2-orchestrator token list --all
  ec2-orchestrator token list --json | jq -r '.[] | select(.state == "expired") | .name'
"""
_REVOKE_EPILOG = """\b
Examples:
  ec2-orchestrator token revoke ci
  ec2-orchestrator token revoke ci --json
"""
_COLUMNS = (
    Column("NAME"),
    Column("ROLE"),
    Column("STATE"),
    Column("USED", rank=1),
    Column("EXPIRES", rank=2),
    Column("CREATED", rank=3),
    Column("BY", rank=4),
    Column("ID", rank=5),
)
_STATES = {"valid": "green", "expired": "yellow", "revoked": "dim"}
_LONGEST = timedelta(days=3660)
_SETTLED = "5 seconds"


class _Name(click.ParamType[str]):
    name = "name"

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return self._read(str(value))
        except InvalidTokenName as error:
            self.fail(error.detail, param, ctx)


def _not_for_ever(_: click.Context, __: click.Parameter, value: int | None) -> timedelta | None:
    if value is not None and value > _LONGEST.total_seconds():
        raise click.BadParameter("it is more than ten years: leave it out for a token without an end.")
    return None if value is None else timedelta(seconds=value)


def token_commands(load: Load, open_desk: Desk) -> click.Group:
    """Make the group of commands."""

    @click.group("token", short_help="Make, list and revoke tokens.", epilog=_EPILOG)
    def token() -> None:
        """Make, list and revoke the tokens that programs and people use the service with."""

    token.add_command(_create(load, open_desk))
    token.add_command(_list(load, open_desk))
    token.add_command(_revoke(load, open_desk))
    return token


def _create(load: Load, open_desk: Desk) -> click.Command:
    @click.command("create", short_help="Make a token, and print it this once.", epilog=_CREATE_EPILOG)
    @click.argument("name", type=_Name(token_name))
    @click.option(
        "--role", type=click.Choice([role.value for role in Role]), required=True, help="What it may do."
    )
    @click.option(
        "--expires",
        type=times.Duration(),
        callback=_not_for_ever,
        metavar="TIME",
        help="After which time it is refused: 12h, 90d. Left out: it is good until it is revoked.",
    )
    @output.json_option
    @click.pass_obj
    def create(
        surroundings: Surroundings, *, name: str, role: str, expires: timedelta | None, as_json: bool
    ) -> None:
        """Make a token for NAME, and print it.

        The token alone goes to standard output, and it is shown this once: only a hash of it is kept. A
        running service takes it within 5 seconds.
        """
        with output.refusals():
            settings = load()
            with open_desk(settings, changes=True, makes=True) as opened:
                made, secret = opened.desk.create(name, Role(role), ttl=expires, actor=_actor(surroundings))
                first = len(_standing(opened)) == 1
        if as_json:
            output.write_json({"token": secret, **_wire(made, surroundings.now())})
            return
        until = f"until {times.stamp(made.expires_at)}" if made.expires_at else "until it is revoked"
        notes = [f"Token '{made.name}' may do what the role '{made.role}' may, {until}."]
        notes.append(f"It is shown this once; its hash is kept in {opened.database}.")
        if opened.new:
            notes.append("That database was not there and was made now: is it the service's own?")
        if settings.auth == "off":
            notes.append("With ORCHESTRATOR_AUTH=off the service asks nobody for a token.")
        elif first and settings.admin_token is None:
            notes.append(f"It is the first one: within {_SETTLED} the service asks everybody for a token.")
        output.write(output.errors(), " ".join(notes))
        click.echo(secret)

    return create


def _list(load: Load, open_desk: Desk) -> click.Command:
    @click.command("list", short_help="List the tokens, without their secrets.", epilog=_LIST_EPILOG)
    @click.option("--all", "everything", is_flag=True, help="Also those that were revoked.")
    @output.json_option
    @click.pass_obj
    def listed(surroundings: Surroundings, *, everything: bool, as_json: bool) -> None:
        """List the tokens: who has them, what they may do, and when they were last used.

        Neither the tokens nor their hashes are shown. A use is noted to the minute.
        """
        with output.refusals(), open_desk(load(), changes=False) as opened:
            found = opened.desk.listed() if everything else _standing(opened)
        now = surroundings.now()
        if as_json:
            output.write_json([_wire(one, now) for one in found])
            return
        rows = [
            (
                one.name,
                one.role.value,
                Text(state := _state(one, now), style=_STATES[state]),
                one.last_used_at,
                one.expires_at,
                one.created_at,
                one.created_by,
                one.id,
            )
            for one in found
        ]
        tables.show_or_say(Table(_COLUMNS, rows, now), f"There is no token in {opened.database}.")

    return listed


def _revoke(load: Load, open_desk: Desk) -> click.Command:
    @click.command("revoke", short_help="Take a token back.", epilog=_REVOKE_EPILOG)
    @click.argument("name", type=_Name(token_name_or_id))
    @output.json_option
    @click.pass_obj
    def revoke(surroundings: Surroundings, *, name: str, as_json: bool) -> None:
        """Take back the token of this NAME, or with this id.

        Within 5 seconds it is refused by every process of the service. It cannot be had back: make a new one.
        """
        with output.refusals():
            settings = load()
            with open_desk(settings, changes=True) as opened:
                try:
                    revoked = opened.desk.revoke(name, actor=_actor(surroundings))
                except TokenNotFound:
                    raise TokenNotFound(f"No token '{name}' is in force in {opened.database}.") from None
                left = _standing(opened)
        if as_json:
            output.write_json(_wire(revoked, surroundings.now()))
        else:
            click.echo(f"Token '{revoked.name}' is revoked: within {_SETTLED} it is refused everywhere.")
        if not left and settings.admin_token is None and settings.auth == "auto":
            text = (
                "It was the last one: a service on a loopback address is open to this machine again."
                if settings.bind_is_loopback
                else "It was the last one: nobody can use the service until there is another."
            )
            output.write(output.errors(), text)

    return revoke


def _actor(surroundings: Surroundings) -> str:
    return f"cli:{surroundings.user()}"


def _standing(opened: "OpenDesk") -> list[Token]:
    return [token for token in opened.desk.listed() if token.revoked_at is None]


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expired(now) else "valid"


def _wire(token: Token, now: datetime) -> dict[str, str | None]:
    return {
        "name": token.name,
        "id": token.id,
        "role": token.role.value,
        "state": _state(token, now),
        "createdAt": _moment(token.created_at),
        "createdBy": token.created_by,
        "expiresAt": _moment(token.expires_at),
        "revokedAt": _moment(token.revoked_at),
        "lastUsedAt": _moment(token.last_used_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else times.stamp(at)
