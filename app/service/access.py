"""Who a request comes from: the gate that every request passes before anything is done for it."""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256

import structlog

from app.domain.access import Identity, Role, Token
from app.domain.errors import TooManyAttempts, Unauthenticated
from app.ports import Clock
from app.service.attempts import Attempts
from app.service.standing import Standing, Uses

log = structlog.get_logger()

ANONYMOUS = Identity("anonymous", Role.ADMIN)
"""Who uses an open service."""
ADMIN = Identity("admin", Role.ADMIN)
"""Who has the admin token of the settings."""

_HEADER = re.compile(r"bearer +([!-~]+)", re.IGNORECASE | re.ASCII)
_TYPED = re.compile(r"[!-~]+", re.ASCII)
_TOKEN = re.compile(r"eco_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", re.ASCII)
_NO_TOKEN = "0" * 64
_ANOTHER = "Ask for a new one: ec2-orchestrator token create NAME --role ROLE."


def digest_of(secret: str) -> str:
    """Return what is kept of a secret. It has 256 random bits, so nothing slower is needed."""
    return sha256(secret.encode()).hexdigest()


def written(token_id: str, secret: str) -> str:
    """Write a token as its holder gets it."""
    return f"eco_{token_id}_{secret}"


@dataclass(frozen=True, slots=True)
class Admission:
    """Who was let in, and by what."""

    identity: Identity
    token: Token | None
    """None: by the admin token of the settings."""


class Gate:
    """Tells who may enter: by the admin token of the settings, or by a token of the table.

    `always_open`: something else guards the service, or with `local` it is open to this machine alone.
    `open_while_unused`: it is open as long as there is no token at all, to this machine alone.
    """

    def __init__(
        self,
        *,
        standing: Standing,
        uses: Uses,
        attempts: Attempts,
        clock: Clock,
        admin_token: str | None = None,
        always_open: bool = False,
        local: bool = False,
        open_while_unused: bool = False,
    ) -> None:
        self._standing = standing
        self._uses = uses
        self._attempts = attempts
        self._clock = clock
        self._admin = None if admin_token is None else digest_of(admin_token)
        self._always_open = always_open
        self._local = local
        self._open_while_unused = open_while_unused and not always_open and admin_token is None

    @property
    def open(self) -> bool:
        """Whether no token is needed just now; may raise RegistryUnavailable."""
        return self._always_open or (self._open_while_unused and not self._standing.tokens())

    @property
    def local(self) -> bool:
        """Whether the service, where it is open, is so to this machine alone."""
        return self._local or self._open_while_unused

    @property
    def barred(self) -> bool:
        """Whether there is no token that anybody could enter with; may raise RegistryUnavailable."""
        return not self.open and self._admin is None and not self._standing.tokens()

    @property
    def lapsed(self) -> bool:
        """Whether nobody can enter because all tokens have expired; may raise RegistryUnavailable."""
        if self.open or self._admin is not None:
            return False
        tokens, now = self._standing.tokens().values(), self._clock.now()
        return bool(tokens) and all(token.expired(now) for token in tokens)

    def admit(self, authorization: str | None, address: str) -> Identity:
        """Tell who sends this Authorization header.

        Raises Unauthenticated where there is none or it does not help, TooManyAttempts where that happens too
        often, and RegistryUnavailable where it cannot be known. An open service asks nobody.
        """
        if self.open:
            return ANONYMOUS
        if authorization is None or not authorization.strip():
            raise Unauthenticated(
                "Send the header 'Authorization: Bearer TOKEN'. Who operates the service makes a token with: "
                "ec2-orchestrator token create NAME --role ROLE."
            )
        found = _HEADER.fullmatch(authorization)
        given = found[1] if found else ""
        return self._entered(given, address, fault=None if found else "malformed").identity

    def enter(self, given: str, address: str) -> Admission:
        """Tell who enters with this token, typed into a form; raises what `admit` raises.

        An open service has it checked just the same.
        """
        return self._entered(given, address, fault=None if _TYPED.fullmatch(given) else "mistyped")

    def holder(self, token_id: str) -> Identity | None:
        """Tell who entered with this token before; None where it is not good any more.

        Raises RegistryUnavailable.
        """
        token, now = self._standing.tokens().get(token_id), self._clock.now()
        if token is None or token.expired(now):
            return None
        self._uses.note(token, now)
        return Identity(token.actor, token.role)

    def sealed(self, secret: str) -> str | None:
        """Return what the admin token of the settings makes of a secret; None where there is no such token.

        It changes with the token, and tells nothing of it to whoever does not know the secret: the token may
        be a weak one.
        """
        if self._admin is None:
            return None
        return hmac.digest(secret.encode(), self._admin.encode(), "sha256").hex()

    def close(self) -> None:
        """Write what is still to be written about tokens."""
        self._uses.close()

    def _entered(self, given: str, address: str, *, fault: str | None) -> Admission:
        """Tell whose token it is, or count and refuse it; one with a `fault` is nobody's."""
        if self._is_admin(given, address):
            return Admission(ADMIN, None)
        token = self._token(given, address)
        now = self._clock.now()
        if token is not None and not token.expired(now):
            self._uses.note(token, now)
            return Admission(Identity(token.actor, token.role), token)
        wait = self._attempts.failed(address)
        if wait is not None:
            raise TooManyAttempts(
                "Too many requests came from this address with a token that is not valid. Correct the token, "
                "and wait a minute.",
                retry_after=wait,
            )
        reason = fault or ("unknown" if token is None else "expired")
        log.warning(
            "access.refused",
            address=address,
            reason=reason,
            token=token and token.name,
            token_id=_id_in(given),
        )
        raise Unauthenticated(_what_is_wrong(reason, token), token_sent=True)

    def _is_admin(self, given: str, address: str) -> bool:
        """Compare with the admin token, unless the address has guessed too often: that one may be weak."""
        if self._admin is None or not given or self._attempts.spent(address):
            return False
        return hmac.compare_digest(digest_of(given), self._admin)

    def _token(self, given: str, address: str) -> Token | None:
        """Find a token. One that is not known may be new: an address may ask so as often as it may guess."""
        parts = _TOKEN.fullmatch(given)
        if parts is None:
            return None
        token = self._standing.tokens().get(parts[1])
        if token is None and not self._attempts.spent(address):
            token = self._standing.anew().get(parts[1])
        kept = _NO_TOKEN if token is None else token.digest
        return token if hmac.compare_digest(digest_of(parts[2]), kept) else None


def _id_in(given: str) -> str | None:
    """Return the public part of what looks like a token: it tells which one was revoked, or is mistyped."""
    parts = _TOKEN.fullmatch(given)
    return None if parts is None else parts[1]


def _what_is_wrong(reason: str, token: Token | None) -> str:
    if token is not None and token.expires_at is not None:
        ended = token.expires_at.isoformat(timespec="seconds")
        return f"The token '{token.name}' expired at {ended}. {_ANOTHER}"
    if reason == "malformed":
        return "The header must be 'Authorization: Bearer TOKEN', once, with one token and nothing else."
    if reason == "mistyped":
        return "This is no token: a token is one word. Copy it whole, and nothing else with it."
    return f"This token is not known here, or it was revoked. Check that it was copied whole. {_ANOTHER}"
