"""The settings: read from the environment, checked all at once, secrets never shown.

`.env` is read into the environment first (ORCHESTRATOR_ENV_FILE names another file; empty means none);
a variable that is set already wins over the file.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from dotenv import load_dotenv
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.domain.errors import SettingsInvalid
from app.domain.model import DEFAULT_POOL, Policy, PoolName

_CLIENT_VARIABLES = frozenset({"ORCHESTRATOR_URL", "ORCHESTRATOR_TOKEN", "ORCHESTRATOR_ENV_FILE"})
"""Ours, but not the service's: the command line reads the first two."""

_TOKEN = re.compile(r"[!-~]{16,}")
"""What can stand in an Authorization header as it is."""

AnyName = Annotated[str, Field(min_length=1)]


class Settings(BaseSettings):
    """Everything that can be set. docs/reference/settings.md tells the same to users; a test compares."""

    model_config = SettingsConfigDict(
        env_prefix="ORCHESTRATOR_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    aws_access_key: str | None = Field(None, validation_alias="AWS_ACCESS_KEY")
    """Static key id; without it boto3's own chain applies (role, profile, `AWS_ACCESS_KEY_ID` ...)"""
    aws_secret_key: SecretStr | None = Field(None, validation_alias="AWS_SECRET_KEY")
    """The secret that belongs to `AWS_ACCESS_KEY`"""
    aws_region: AnyName = Field(
        "us-east-1", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )
    """Region of the Auto Scaling group"""
    asg_name: AnyName = "vscode-asg"
    """Name of the Auto Scaling group"""
    buffer: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Idle instances to keep ready"""
    poll_interval: Annotated[float, Field(ge=1, le=3600)] = 10
    """Seconds between two passes when nothing happens; a claim or a destroy starts one at once"""
    database_url: AnyName = "sqlite:///var/orchestrator.db"
    """SQLAlchemy URL of the registry: `sqlite:///FILE` or `postgresql+psycopg://...`"""
    bind: str = "127.0.0.1:9092"
    """Where gunicorn listens, `HOST:PORT`"""
    address: Literal["public", "private"] = "public"
    """Which address of an instance is handed out and probed"""
    instance_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Port of VSCode Server on an instance; its tag `ec2-orchestrator:port` overrides it for one"""
    readiness: Literal["http", "tcp", "off"] = "http"
    """What an instance must pass before it is idle"""
    readiness_path: Annotated[str, Field(pattern=r"^/\S*$")] = "/healthz"
    """Path of the http probe; any 2xx passes"""
    boot_timeout: Annotated[float, Field(ge=1, le=86_400)] = 300
    """Seconds an instance may take to become ready before it is replaced"""
    idle_timeout: Annotated[float, Field(ge=0)] = 0
    """Reserved for releasing unused allocations; this version never does, and takes only 0"""
    pools_file: str | None = None
    """Reserved for several pools; this version serves one, and takes none"""
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests that one worker process serves at once; its connections to the database fit them"""
    poller: Literal["on", "off"] = "on"
    """`off`: this process serves HTTP only and never leads; another one runs the poller"""
    auth: Literal["auto", "on", "off"] = "auto"
    """`auto`: open on a loopback bind without a token, else the token is needed; `on`; `off`: open"""
    admin_token: SecretStr | None = None
    """The token, 16 characters or more, that every request but the health checks needs"""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`json` or `console`; `auto` is console on a terminal, json otherwise"""

    @field_validator("bind")
    @classmethod
    def _bind_is_host_and_port(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not (colon and host and port.isdigit() and 0 <= int(port) <= 65535):  # noqa: PLR2004 - TCP's range
            raise ValueError("must be HOST:PORT, for example 127.0.0.1:9092")
        return value

    @field_validator("idle_timeout")
    @classmethod
    def _no_culling_yet(cls, value: float) -> float:
        if value:
            raise ValueError("this version never releases an unused allocation by itself: only 0 is possible")
        return value

    @field_validator("pools_file")
    @classmethod
    def _one_pool(cls, value: str | None) -> str | None:
        if value:
            raise ValueError("this version serves one pool, set by ORCHESTRATOR_ASG_NAME")
        return value

    @field_validator("admin_token")
    @classmethod
    def _token_is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError(
                "must be 16 or more letters, digits or signs without spaces: for example the output of "
                "'openssl rand -hex 32'"
            )
        return value

    @property
    def bind_is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return _is_loopback(self.bind)

    @property
    def token(self) -> SecretStr | None:
        """The token that every change and every look needs; None where the service is open."""
        return None if self.auth == "off" else self.admin_token

    @property
    def loopback_only(self) -> bool:
        """Whether the service is open because only this machine is meant to reach it."""
        return self.auth == "auto" and self.admin_token is None

    @property
    def pool(self) -> PoolName:
        """The one pool there is."""
        return DEFAULT_POOL

    @property
    def policy(self) -> Policy:
        """What these settings want of the pool."""
        return Policy(
            pool=self.pool,
            buffer=self.buffer,
            port=self.instance_port,
            boot_timeout=timedelta(seconds=self.boot_timeout),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but should be known: sentences for the log at start."""
        found = []
        if self.auth == "off" and not self.bind_is_loopback:
            found.append(
                "ORCHESTRATOR_AUTH=off: whoever can reach this service can take and end any instance."
            )
        found.extend(_unknown_variables())
        return tuple(found)


def load_settings() -> Settings:
    """Read `.env` and the environment. Raises SettingsInvalid, which names every fault at once."""
    file = os.environ.get("ORCHESTRATOR_ENV_FILE", ".env")
    if file and Path(file).is_file():
        load_dotenv(file, encoding="utf-8-sig")
    elif file and "ORCHESTRATOR_ENV_FILE" in os.environ:
        raise SettingsInvalid(f"ORCHESTRATOR_ENV_FILE={file!r}: there is no such file")
    # Upper case, because that is how pydantic-settings compares names: no spelling may slip past the checks.
    clashes = _clashes({name.upper(): value for name, value in os.environ.items()})
    try:
        settings = Settings()
    except ValidationError as error:
        faults = [_fault(details) for details in error.errors(include_url=False)]
        raise SettingsInvalid("\n".join([*faults, *clashes])) from None  # the original would show secrets
    if clashes:
        raise SettingsInvalid("\n".join(clashes))
    return settings


def _clashes(environment: Mapping[str, str]) -> list[str]:
    """Find settings that are fine alone and not together.

    Reads what was written, not what was understood of it, so that these faults come with all others.
    """
    found = []
    if bool(environment.get("AWS_ACCESS_KEY")) != bool(environment.get("AWS_SECRET_KEY")):
        found.append(
            "AWS_ACCESS_KEY and AWS_SECRET_KEY belong together: set both, or neither to use "
            "boto3's own chain (role, profile, AWS_ACCESS_KEY_ID ...)"
        )
    auth = environment.get("ORCHESTRATOR_AUTH") or "auto"
    bind = environment.get("ORCHESTRATOR_BIND") or "127.0.0.1:9092"
    if not environment.get("ORCHESTRATOR_ADMIN_TOKEN"):
        if auth == "on":
            found.append("ORCHESTRATOR_AUTH=on needs a token: set ORCHESTRATOR_ADMIN_TOKEN")
        if auth == "auto" and not _is_loopback(bind):
            found.append(
                f"ORCHESTRATOR_BIND={bind} can be reached by others, who could end any instance: "
                "set ORCHESTRATOR_ADMIN_TOKEN, or ORCHESTRATOR_AUTH=off if something else guards the service"
            )
    return found


def _is_loopback(bind: str) -> bool:
    host = bind.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _variable(field: str) -> str:
    return field if field.isupper() else f"ORCHESTRATOR_{field.upper()}"


def _fault(details: ErrorDetails) -> str:
    """Tell one fault in one line: the variable, its value unless secret, and the reason."""
    reason = details["msg"].removeprefix("Value error, ")
    if not details["loc"]:
        return reason
    variable = _variable(str(details["loc"][0]))
    secret = any(word in variable for word in ("KEY", "TOKEN", "DATABASE_URL"))
    value = "(hidden)" if secret else repr(details["input"])
    return f"{variable}={value}: {reason}"


def variables() -> tuple[str, ...]:
    """List the names of all variables, as users write them."""
    names: list[str] = []
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias or _variable(name)]
        names.extend(str(choice) for choice in choices)
    return tuple(names)


def _unknown_variables() -> list[str]:
    """Find misspelt settings. Not faults: Kubernetes, for one, injects variables that begin like ours."""
    known = {*variables(), *_CLIENT_VARIABLES}
    found = []
    for name in sorted(os.environ):
        if name.startswith("ORCHESTRATOR_") and name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            found.append(f"{name} is not a setting and was ignored.{hint}")
    return found
