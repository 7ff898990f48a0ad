"""Everything that may go wrong, as one tree.

    OrchestratorError
    ├── InvalidInput                    the caller's words are off; nothing was changed
    │   ├── InvalidProjectId
    │   ├── InvalidInstanceId
    │   └── InvalidBody
    ├── Unauthenticated
    ├── Forbidden
    ├── PoolExhausted
    ├── InstanceNotFound
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
        ├── Denied
        ├── BadCredentials
        └── Unexpected

Each class has a `code`, a slug that never changes; the first line of its docstring is its title.
"""

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


class InvalidProjectId(InvalidInput):
    """Not a project id."""

    code = "invalid-project-id"


class InvalidInstanceId(InvalidInput):
    """Not an instance id."""

    code = "invalid-instance-id"


class InvalidBody(InvalidInput):
    """The request body is not valid."""

    code = "invalid-body"


class Unauthenticated(OrchestratorError):
    """A valid token is needed."""

    code = "unauthenticated"


class Forbidden(OrchestratorError):
    """This request is not allowed."""

    code = "forbidden"


class PoolExhausted(OrchestratorError):
    """No idle instance is available right now."""

    code = "pool-exhausted"

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InstanceNotFound(OrchestratorError):
    """Not an instance of this pool."""

    code = "instance-not-found"


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


class Denied(CloudError):
    """AWS denied the call: a permission is missing."""

    code = "aws-denied"


class BadCredentials(CloudError):
    """AWS does not accept our credentials."""

    code = "aws-bad-credentials"


class Unexpected(CloudError):
    """AWS answered in a way we do not know."""

    code = "aws-unexpected"
