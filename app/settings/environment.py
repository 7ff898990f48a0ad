"""The settings: read from the environment, checked all at once, secrets never shown.

`.env` is read into the environment first (ORCHESTRATOR_ENV_FILE names another file; empty means none);
a variable that is set already wins over the file.
"""

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, unquote_plus

from dotenv import load_dotenv
from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.domain.errors import SettingsInvalid
from app.domain.model import DEFAULT_POOL, PoolName
from app.domain.terms import WARNING
from app.settings.pools import (
    LONGEST,
    AddressKind,
    AnyName,
    BootTimeout,
    Buffer,
    MaybeSeconds,
    PoolEntry,
    PoolSettings,
    PoolsFile,
    Port,
    ReadinessKind,
    UrlPath,
    read_pools,
)
from app.settings.webhook import WebhookSettings, checked, clashes, doubts, keys

_CLIENT_VARIABLES = frozenset({"ORCHESTRATOR_URL", "ORCHESTRATOR_TOKEN", "ORCHESTRATOR_ENV_FILE"})
"""Ours, but not the service's: the command line reads the first two."""

_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD")
"""Not ours: botocore and libpq read them."""

_TOKEN = re.compile(r"[!-~]{16,}")
"""What can stand in an Authorization header as it is."""


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
    buffer: Buffer = 5
    """Idle instances to keep ready"""
    poll_interval: Annotated[float, Field(ge=1, le=3600)] = 10
    """Seconds between two passes at rest, more with many pools in a region; a claim or destroy starts one"""
    database_url: AnyName = "sqlite:///var/orchestrator.db"
    """SQLAlchemy URL of the registry: `sqlite:///FILE` or `postgresql+psycopg://...`"""
    bind: str = "127.0.0.1:9092"
    """Where gunicorn listens, `HOST:PORT`"""
    metrics_bind: str | None = None
    """Where `scheduler.py` serves its metrics, `HOST:PORT`, without a token; without it, nowhere"""
    address: AddressKind = "public"
    """Which address of an instance is handed out and probed"""
    instance_port: Port = 8080
    """Port of VSCode Server on an instance; its tag `ec2-orchestrator:port` overrides it for one"""
    readiness: ReadinessKind = "http"
    """What an instance must pass before it is idle"""
    readiness_path: UrlPath = "/healthz"
    """Path of the http probe; any 2xx passes"""
    boot_timeout: BootTimeout = 300
    """Seconds an instance may take to become ready before it is replaced"""
    default_ttl: MaybeSeconds = 0
    """Seconds that an allocation lasts where none are asked for; 0: until somebody ends it"""
    max_ttl: MaybeSeconds = 0
    """The most seconds that can be asked for at once, also by who renews; 0: any"""
    confirm_within: MaybeSeconds = 0
    """Seconds within which an allocation must be confirmed where none are asked for; 0: it need not be"""
    idle_timeout: MaybeSeconds = 0
    """Seconds an allocation may be unused before it is released; 0: any. The signal has a grain of 60 s"""
    expiry_warning: Annotated[float, Field(ge=1, le=LONGEST)] = WARNING.total_seconds()
    """Seconds before an allocation ends by itself at which that is announced; half of a short time at most"""
    webhook_url: str | None = Field(None, repr=False)
    """Where messages on allocations and pools are sent, `https://HOST/PATH`; without it, nowhere"""
    webhook_secret: SecretStr | None = None
    """What they are signed with, `whsec_...`; several with blanks between them, to change it without a gap"""
    webhook_link_local: Literal["on", "off"] = "off"
    """`on`: also to link-local addresses, at which clouds serve secrets to whoever asks"""
    pools_file: Annotated[PoolsFile | None, NoDecode] = None
    """A TOML file that names several pools, see below; without it there is one, `default`, set by these"""
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests that one worker process serves at once; its connections to the database fit them"""
    poller: Literal["on", "off"] = "on"
    """`off`: this process serves HTTP only and never leads; another one runs the poller"""
    auth: Literal["auto", "on", "off"] = "auto"
    """`auto`: open on a loopback bind while no token exists, else tokens are needed; `on`; `off`: open"""
    admin_token: SecretStr | None = None
    """A first token with all rights, 16 characters or more; `ec2-orchestrator token create` makes others"""
    proxy_hops: Annotated[int, Field(ge=0, le=10)] = 0
    """Proxies in front whose `X-Forwarded-For`, `-Proto` and `-Host` are believed; 0: none is"""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`json` or `console`; `auto` is console on a terminal, json otherwise"""

    @field_validator("bind", "metrics_bind")
    @classmethod
    def _is_host_and_port(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host, colon, port = value.rpartition(":")
        if not (colon and host and port.isdigit() and 0 <= int(port) <= 65535):  # noqa: PLR2004 - TCP's range
            raise ValueError("must be HOST:PORT, for example 127.0.0.1:9092")
        return value

    @field_validator("pools_file", mode="before")
    @classmethod
    def _read_pools(cls, value: object, before: ValidationInfo) -> object:
        return read_pools(value, before.data.get("aws_region")) if isinstance(value, str) else value

    @field_validator("admin_token")
    @classmethod
    def _token_is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError(
                "must be 16 or more letters, digits or signs without spaces: for example the output of "
                "'openssl rand -hex 32'"
            )
        return value

    @field_validator("webhook_url")
    @classmethod
    def _url_can_be_used(cls, value: str | None) -> str | None:
        return None if value is None else checked(value)

    @field_validator("webhook_secret")
    @classmethod
    def _secret_is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            keys(value.get_secret_value())
        return value

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nothing may show: of these settings, and of the variables that libraries read themselves."""
        found = {
            "" if secret is None else secret.get_secret_value()
            for secret in (self.aws_secret_key, self.admin_token)
        }
        if self.webhook_secret is not None:
            found |= set(self.webhook_secret.get_secret_value().split())
        if self.webhook_url is not None:  # some receivers know us by their path
            found.add(self.webhook_url)
        found |= {os.environ.get(name, "") for name in _SECRET_VARIABLES}
        found |= _passwords(self.database_url)
        return tuple(sorted(found - {""}))

    @property
    def bind_is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return _is_loopback(self.bind)

    @property
    def webhook(self) -> WebhookSettings | None:
        """Where messages are sent, and how; None: nowhere."""
        if self.webhook_url is None or self.webhook_secret is None:
            return None
        return WebhookSettings(
            url=self.webhook_url,
            keys=keys(self.webhook_secret.get_secret_value()),
            link_local=self.webhook_link_local == "on",
        )

    @property
    def pools(self) -> Mapping[PoolName, PoolSettings]:
        """Every pool there is, by name; `default` is always among them."""
        if self.pools_file is None:
            return {DEFAULT_POOL: self._pool(DEFAULT_POOL, PoolEntry(group=self.asg_name))}
        return {name: self._pool(name, entry) for name, entry in self.pools_file.entries.items()}

    def _pool(self, name: PoolName, entry: PoolEntry) -> PoolSettings:
        return PoolSettings(
            name=name,
            group=entry.group,
            region=entry.region or self.aws_region,
            buffer=self.buffer if entry.buffer is None else entry.buffer,
            address=entry.address or self.address,
            port=entry.port or self.instance_port,
            readiness=entry.readiness or self.readiness,
            readiness_path=entry.readiness_path or self.readiness_path,
            boot_timeout=entry.boot_timeout or self.boot_timeout,
            default_ttl=_of(entry.default_ttl, self.default_ttl),
            max_ttl=_of(entry.max_ttl, self.max_ttl),
            confirm_within=_of(entry.confirm_within, self.confirm_within),
            idle_timeout=_of(entry.idle_timeout, self.idle_timeout),
            expiry_warning=self.expiry_warning,
            file=None if self.pools_file is None else self.pools_file.path,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but should be known: sentences for the log at start."""
        found = []
        if self.auth == "off":
            found.append(
                "ORCHESTRATOR_AUTH=off: whoever can reach this service can take and end any instance."
            )
        if self.metrics_bind is not None and not _is_loopback(self.metrics_bind):
            found.append(
                f"ORCHESTRATOR_METRICS_BIND={self.metrics_bind}: whoever can reach this address can read the "
                "metrics of scheduler.py, without a token."
            )
        if self.pools_file is not None and "asg_name" in self.model_fields_set:
            groups = {entry.group for entry in self.pools_file.entries.values()}
            if self.asg_name not in groups:
                found.append(
                    f"ORCHESTRATOR_ASG_NAME={self.asg_name} is not used: {self.pools_file.path} names the "
                    "groups, and this is none of them."
                )
        for pool in self.pools.values():
            found.extend(_doubtful_times(pool))
        found.extend(doubts(self.webhook_url, secret=self.webhook_secret is not None))
        found.extend(_unknown_variables())
        return tuple(found)


SIGNAL_GRAIN = 120
"""Seconds that what goes by use should at least be: use is told once a minute, and read a moment later."""


def _doubtful_times(pool: PoolSettings) -> Iterator[str]:
    if 0 < pool.idle_timeout < SIGNAL_GRAIN:
        yield (
            f"{pool.place('idle_timeout')}={pool.idle_timeout:g}: code-server tells once a minute that it "
            f"is used. With less than {SIGNAL_GRAIN}, instances in use may be released."
        )
    if 0 < pool.confirm_within < SIGNAL_GRAIN:
        yield (
            f"{pool.place('confirm_within')}={pool.confirm_within:g}: code-server tells once a minute that "
            f"it is used. With less than {SIGNAL_GRAIN}, use may be seen too late to confirm an allocation."
        )
    if pool.confirm_within > 0 and pool.readiness != "http" and pool.idle_timeout == 0:
        yield (
            f"{pool.place('confirm_within')}={pool.confirm_within:g}: being used confirms nothing here. "
            f"No instance is asked for its use where {pool.place('readiness')}={pool.readiness} and there is "
            "no idle timeout: whoever allocates must confirm, or renew."
        )
    if 0 < pool.max_ttl < pool.default_ttl:
        yield (
            f"{pool.place('default_ttl')}={pool.default_ttl:g} is more than "
            f"{pool.place('max_ttl')}={pool.max_ttl:g}, which applies."
        )


def _of(own: float | None, of_all: float) -> float:
    return of_all if own is None else own


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
        faults = [fault for details in error.errors(include_url=False) for fault in _faults(details)]
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
    found += clashes(
        environment.get("ORCHESTRATOR_WEBHOOK_URL"),
        environment.get("ORCHESTRATOR_WEBHOOK_SECRET"),
        link_local=environment.get("ORCHESTRATOR_WEBHOOK_LINK_LOCAL") == "on",
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


_CREDENTIALS = re.compile(r"[\w+]+://[^:/]*:(?P<password>[^@]*)(?P<more>(?:@[^@/?]*)*)@")
"""How SQLAlchemy reads a URL, in which a password may have any sign but an @. Who writes one with an @ means
all up to the last one before the host, and is told that there is no such host."""
_PASSWORD_QUERY = re.compile(r"[?&](?:ssl)?password=([^&]*)")


def _passwords(url: str) -> set[str]:
    """Return the passwords in a database's URL, as they are written there and as they are meant."""
    written = set(_PASSWORD_QUERY.findall(url))
    credentials = _CREDENTIALS.match(url)
    if credentials is not None:
        written |= {credentials["password"], credentials["password"] + credentials["more"]}
    return written | {unquote(one) for one in written} | {unquote_plus(one) for one in written if "+" in one}


def _variable(field: str) -> str:
    return field if field.isupper() else f"ORCHESTRATOR_{field.upper()}"


def _faults(details: ErrorDetails) -> list[str]:
    """Tell each fault in one line: the variable, its value unless secret, and the reason."""
    reason = details["msg"].removeprefix("Value error, ")
    if not details["loc"]:
        return [reason]
    if details["loc"][0] == "pools_file":  # each of its faults says where it is
        return [f"ORCHESTRATOR_POOLS_FILE={details['input']}: {fault}" for fault in reason.splitlines()]
    variable = _variable(str(details["loc"][0]))
    secret = any(word in variable for word in ("KEY", "TOKEN", "SECRET", "DATABASE_URL", "WEBHOOK_URL"))
    value = "(hidden)" if secret else repr(details["input"])
    return [f"{variable}={value}: {reason}"]


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
