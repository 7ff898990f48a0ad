"""Everything that may go wrong, as one tree.

    OrchestratorError
    ├── InvalidInput                    the caller's words are off; nothing was changed
    │   ├── InvalidProjectId
    │   ├── InvalidInstanceId
    │   ├── InvalidPoolName
    │   ├── InvalidTokenName
    │   ├── TtlTooLong
    │   ├── InvalidQuery
    │   └── InvalidBody
    ├── Unauthenticated
    │   └── TooManyAttempts
    ├── Forbidden
    ├── PoolExhausted
    ├── NotFound                        what is named does not exist
    │   ├── InstanceNotFound
    │   ├── AllocationNotFound
    │   ├── PoolNotFound
    │   ├── TokenNotFound
    │   └── MessageNotFound
    ├── InTheWay                        it exists, and is not as the request needs it
    │   ├── AllocatedElsewhere
    │   ├── HoldTooLate
    │   └── NameTaken
    ├── VersionChanged
    ├── StartRefused                    the process must not run like this
    │   ├── SettingsInvalid
    │   └── RegistryUnusable
    ├── RegistryUnavailable
    ├── NotLeading
    └── CloudError                      AWS did not do what was asked
        ├── Throttled
        │   └── BudgetSpent             by us, before AWS does it
        ├── CloudUnavailable
        ├── Contention
        ├── OutcomeUnknown
        ├── AboveMax
        ├── AlreadyTagged
        ├── GroupMissing
        ├── GroupChanged
        ├── Paused
        ├── Denied
        ├── BadCredentials
        └── Unexpected

Each class has a `code`, a slug that never changes; the first line of its docstring is its title.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar


class OrchestratorError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    @classmethod
    def title(cls) -> str:
        """Tell in one short sentence, without a full stop, what kind of error this is."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")

    @property
    def detail(self) -> str:
        """What happened this time, for a person; the title where nothing more is known."""
        return str(self) or self.title()


class InvalidInput(OrchestratorError):
    """The request is not valid."""

    code = "invalid-input"

    most_faults: ClassVar[int] = 20
    most_in_detail: ClassVar[int] = 3
    longest_name: ClassVar[int] = 100

    def __init__(self, message: str = "", *, faults: Sequence[tuple[str, str]] = ()) -> None:
        told = [(_cut(where, self.longest_name), what) for where, what in faults[: self.most_faults]]
        each = [f"{where}: {what}" if where else what for where, what in told[: self.most_in_detail]]
        super().__init__(message or "; ".join([*each, *_and_more(len(faults) - len(each))]))
        self.faults = [*told, *(("", more) for more in _and_more(len(faults) - len(told)))]
        """Each place that is off, and what is wrong with it; none where the message says it all. Whoever
        sends thousands of faults is told of the first, and how many there are."""


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _and_more(count: int) -> Sequence[str]:
    return [f"and {count} more"] if count else []


class InvalidProjectId(InvalidInput):
    """Not a project id."""

    code = "invalid-project-id"


class InvalidInstanceId(InvalidInput):
    """Not an instance id."""

    code = "invalid-instance-id"


class InvalidPoolName(InvalidInput):
    """Not a pool's name."""

    code = "invalid-pool-name"


class InvalidTokenName(InvalidInput):
    """Not a token's name."""

    code = "invalid-token-name"


class TtlTooLong(InvalidInput):
    """The pool does not allow so long a time limit."""

    code = "ttl-too-long"


class InvalidQuery(InvalidInput):
    """The query is not valid."""

    code = "invalid-query"


class InvalidBody(InvalidInput):
    """The request body is not valid."""

    code = "invalid-body"


class Unauthenticated(OrchestratorError):
    """A valid token is needed."""

    code = "unauthenticated"

    def __init__(self, message: str = "", *, token_sent: bool = False) -> None:
        super().__init__(message)
        self.token_sent = token_sent


class TooManyAttempts(Unauthenticated):
    """Too many requests without a valid token."""

    code = "too-many-attempts"

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message, token_sent=True)
        self.retry_after = retry_after


class Forbidden(OrchestratorError):
    """This request is not allowed."""

    code = "forbidden"

    def __init__(self, message: str = "", *, needed: str | None = None) -> None:
        super().__init__(message)
        self.needed = needed
        """The role that would do; None where no role helps."""


class PoolExhausted(OrchestratorError):
    """No idle instance is available right now."""

    code = "pool-exhausted"

    def __init__(
        self, message: str, *, retry_after: timedelta, estimated_wait: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.estimated_wait = estimated_wait
        """How long it will take until there is one, by how long the last launches took; None: not known."""


class NotFound(OrchestratorError):
    """There is no such thing."""

    code = "not-found"


class InstanceNotFound(NotFound):
    """Not an instance of ours."""

    code = "instance-not-found"


class AllocationNotFound(NotFound):
    """The project holds no instance."""

    code = "allocation-not-found"


class PoolNotFound(NotFound):
    """There is no such pool."""

    code = "pool-not-found"


class TokenNotFound(NotFound):
    """There is no such token."""

    code = "token-not-found"


class MessageNotFound(NotFound):
    """There is no such message."""

    code = "message-not-found"


class InTheWay(OrchestratorError):
    """The request does not fit what is there."""

    code = "conflict"


class AllocatedElsewhere(InTheWay):
    """The project holds an instance of another pool."""

    code = "allocated-elsewhere"


class HoldTooLate(InTheWay):
    """The instance is ending and cannot be held any more."""

    code = "hold-too-late"


class NameTaken(InTheWay):
    """There is a token of this name."""

    code = "name-taken"


class WebhookOff(InTheWay):
    """There is no webhook to send messages to."""

    code = "webhook-off"


class VersionChanged(OrchestratorError):
    """Somebody else changed it first."""

    code = "version-changed"


class StartRefused(OrchestratorError):
    """The service cannot start like this."""

    code = "start-refused"


class SettingsInvalid(StartRefused):
    """The settings are not valid."""

    code = "settings-invalid"


class RegistryUnusable(StartRefused):
    """The database cannot be used."""

    code = "registry-unusable"


class RegistryUnavailable(OrchestratorError):
    """The database does not answer."""

    code = "registry-unavailable"


class NotLeading(OrchestratorError):
    """This replica does not lead, or not surely enough to change anything."""

    code = "not-leading"


class CloudError(OrchestratorError):
    """AWS did not do what was asked."""

    code = "aws-error"


class Throttled(CloudError):
    """AWS is throttling our calls."""

    code = "aws-throttled"


class BudgetSpent(Throttled):
    """Our own budget of AWS calls is used up for a moment."""

    code = "aws-budget"

    def __init__(self, message: str = "", *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait
        """Seconds after which it is worth another pass."""


class CloudUnavailable(CloudError):
    """AWS does not answer."""

    code = "aws-unavailable"


class Contention(CloudError):
    """AWS is busy with another change of the same thing."""

    code = "aws-contention"


class OutcomeUnknown(CloudError):
    """The answer to a change was lost: it may or may not have happened."""

    code = "aws-outcome-unknown"


class AboveMax(CloudError):
    """The group's max size does not allow this desired capacity."""

    code = "aws-above-max"


class AlreadyTagged(CloudError):
    """Somebody else's name is on the instance."""

    code = "aws-already-tagged"


class GroupMissing(CloudError):
    """The Auto Scaling group does not exist."""

    code = "aws-group-missing"


class GroupChanged(CloudError):
    """The Auto Scaling group is not the one that the database belongs to."""

    code = "aws-group-changed"


class Paused(CloudError):
    """The pool is paused: nothing is changed at AWS."""

    code = "paused"


class Denied(CloudError):
    """AWS denied the call: a permission is missing."""

    code = "aws-denied"


class BadCredentials(CloudError):
    """AWS does not accept our credentials."""

    code = "aws-bad-credentials"


class Unexpected(CloudError):
    """AWS answered in a way we do not know."""

    code = "aws-unexpected"
