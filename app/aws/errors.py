"""What AWS and botocore raise, as our CloudError tree: the one place that knows codes and messages.

Rests on the error lists of the EC2 and Auto Scaling API references and on botocore.exceptions. Auto Scaling
answers most refusals with the code ValidationError and tells them apart by the message alone, so that the
messages are matched here, by the words AWS has been seen to use.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    LoginError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError

from app.domain.errors import (
    AboveMax,
    BadCredentials,
    CloudError,
    CloudUnavailable,
    Contention,
    Denied,
    GroupMissing,
    OrchestratorError,
    OutcomeUnknown,
    Throttled,
    Unexpected,
)


class InstanceGone(Unexpected):
    """AWS does not know the instance, or not as a member of a group."""


class AtMinSize(Unexpected):
    """The group's min size does not allow desired capacity to be lowered."""


class ActivityInProgress(Contention):
    """Another activity of the group on this instance is in progress."""


class InvalidRequest(Unexpected):
    """Auto Scaling knows who asks, and refuses what is asked for."""


class WouldSucceed(Unexpected):
    """The call was a dry run, and would have been carried out."""


_BY_CODE: dict[str, type[CloudError]] = {
    **dict.fromkeys(
        (
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "EC2ThrottledException",
            "BandwidthLimitExceeded",
            "PriorRequestNotComplete",
            "SlowDown",
        ),
        Throttled,
    ),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"), Denied),
    **dict.fromkeys(
        (
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "OptInRequired",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        BadCredentials,
    ),
    **dict.fromkeys(("ResourceContention", "ResourceContentionFault", "ConcurrentTagAccess"), Contention),
    **dict.fromkeys(("ScalingActivityInProgress", "ScalingActivityInProgressFault"), ActivityInProgress),
    **dict.fromkeys(("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"), InstanceGone),
    "DryRunOperation": WouldSucceed,
}

_BY_MESSAGE: tuple[tuple[str, type[CloudError]], ...] = (
    ("autoscalinggroup name not found", GroupMissing),
    ("above max value", AboveMax),
    ("desiredsize equals minsize", AtMinSize),
    ("instance id not found", InstanceGone),
    ("no managed instance found", InstanceGone),
    ("is not part of auto scaling group", InstanceGone),
)
"""Words in the message of a ValidationError, in lower case."""

_UNANSWERED_CODES = frozenset(
    {"InternalError", "InternalFailure", "RequestTimeout", "RequestTimeoutException"}
)
"""AWS broke off by its own account: as good as no answer. No code at all is a proxy's word, not AWS's."""

_CLOCK_CODES = frozenset({"RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException"})

_NO_CREDENTIALS = (
    CredentialRetrievalError,
    LoginError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

_NEVER_REACHED = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
"""No connection was made, so that AWS cannot have seen the request."""

_LOST = (HTTPClientError, BotoConnectionError, SSLError, IncompleteReadError, ResponseParserError)
"""A connection was made, and what came back is no answer. ResponseParserError is not a BotoCoreError."""

_TOO_MANY_REQUESTS = 429
_FORBIDDEN = 403
_SERVER_ERROR = 500
_LONGEST_MESSAGE = 300


@contextmanager
def translated(action: str, *, change: bool) -> Iterator[None]:
    """Let no exception of boto3 or botocore out of the block; `action` names the AWS action for the operator.

    For a `change`, an answer that was lost is OutcomeUnknown; for a read it is CloudUnavailable.
    """
    try:
        yield
    except OrchestratorError:  # ours already, or from the one who was asked whether to change anything
        raise
    except Exception as error:
        raise cloud_error(error, action, change=change) from error


def cloud_error(error: Exception, action: str, *, change: bool) -> CloudError:
    """Turn any exception of boto3 or botocore into ours. The text is for operators, without credentials."""
    if isinstance(error, ClientError):
        return _of_answer(error, action, change=change)
    lost: type[CloudError] = OutcomeUnknown if change else CloudUnavailable
    name = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return BadCredentials(f"{action}: no usable credentials were found ({name}).")
    if isinstance(error, _NEVER_REACHED):
        return CloudUnavailable(f"{action}: no connection to AWS ({name}: {_short(str(error))}).")
    if isinstance(error, _LOST):
        return lost(f"{action}: no usable answer from AWS ({name}: {_short(str(error))}).")
    if isinstance(error, BotoCoreError):
        return Unexpected(f"{action}: the call could not be made ({name}: {_short(str(error))}).")
    return (OutcomeUnknown if change else Unexpected)(
        f"{action}: the answer makes no sense ({name}: {_short(str(error))})."
    )


def _of_answer(error: ClientError, action: str, *, change: bool) -> CloudError:
    """Classify what AWS did answer."""
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = _kind(code, message, status, change=change)
    if kind is BadCredentials:
        # AWS's own text may quote the signed headers, and a session token is one of them.
        hint = " Check the clock of this machine." if code in _CLOCK_CODES else ""
        return BadCredentials(f"{action}: AWS does not accept our credentials ({code}).{hint}")
    return kind(f"{action}: {code or 'no code'} (HTTP {status}): {_short(message) or 'no message'}")


def _kind(code: str, message: str, status: int, *, change: bool) -> type[CloudError]:
    known = _BY_CODE.get(code)
    if known is not None:
        return known
    if code == "ValidationError":
        words = message.lower()
        return next((kind for part, kind in _BY_MESSAGE if part in words), InvalidRequest)
    if status == _TOO_MANY_REQUESTS:
        return Throttled
    if status >= _SERVER_ERROR or code in _UNANSWERED_CODES or not code:
        return OutcomeUnknown if change else CloudUnavailable
    return Denied if status == _FORBIDDEN else Unexpected


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[: _LONGEST_MESSAGE - 3]}..."
