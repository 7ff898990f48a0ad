"""Everything boto3 and botocore raise, as our own errors."""

from typing import cast

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from app.aws.errors import (
    ActivityInProgress,
    AtMinSize,
    InstanceGone,
    InvalidRequest,
    WouldSucceed,
    cloud_error,
    translated,
)
from app.domain.errors import (
    AboveMax,
    BadCredentials,
    CloudError,
    CloudUnavailable,
    Contention,
    Denied,
    GroupMissing,
    OutcomeUnknown,
    Throttled,
    Unexpected,
)

ACTION = "autoscaling:DescribeAutoScalingGroups"


def refusal(code: str, message: str = "", status: int = 400) -> boto.ClientError:
    """Build what boto3 raises when AWS answers with an error."""
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(answer, "Operation")  # type: ignore[arg-type]


ANSWERS = [
    (refusal("Throttling", "Rate exceeded"), Throttled),
    (refusal("RequestLimitExceeded", status=503), Throttled),
    (refusal("EC2ThrottledException"), Throttled),
    (refusal("ThrottlingException"), Throttled),
    (refusal("Whatever", status=429), Throttled),
    (refusal("AccessDenied", status=403), Denied),
    (refusal("UnauthorizedOperation", status=403), Denied),
    (refusal("SomethingNew", status=403), Denied),
    (refusal("ExpiredToken", status=403), BadCredentials),
    (refusal("RequestExpired"), BadCredentials),
    (refusal("InvalidClientTokenId", status=403), BadCredentials),
    (refusal("AuthFailure", status=401), BadCredentials),
    (refusal("SignatureDoesNotMatch", status=403), BadCredentials),
    (refusal("ResourceContention", status=500), Contention),
    (refusal("ScalingActivityInProgress"), ActivityInProgress),
    (refusal("InvalidInstanceID.NotFound"), InstanceGone),
    (refusal("InvalidInstanceID.Malformed"), InstanceGone),
    (refusal("ValidationError", "AutoScalingGroup name not found - null"), GroupMissing),
    (
        refusal(
            "ValidationError",
            "New SetDesiredCapacity value 3 is above max value 2 for the AutoScalingGroup.",
        ),
        AboveMax,
    ),
    (
        refusal(
            "ValidationError",
            "Currently, desiredSize equals minSize (2). Terminating instance without replacement will "
            "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false "
            "or lower group's min size.",
        ),
        AtMinSize,
    ),
    (
        refusal(
            "ValidationError",
            "Instance Id not found - No managed instance found for instance ID i-0123456789abcdef0",
        ),
        InstanceGone,
    ),
    (refusal("ValidationError", "Instance i-1 is not part of Auto Scaling group vscode-asg."), InstanceGone),
    (refusal("ValidationError", "1 validation error detected"), InvalidRequest),
    (refusal("DryRunOperation", "Request would have succeeded", status=412), WouldSucceed),
    (refusal("SomethingNew", "what?"), Unexpected),
]
"""What AWS answered, and what it means for reads and changes alike."""

UNANSWERED = [
    boto.ReadTimeoutError(endpoint_url="http://127.0.0.1", error="slow"),
    boto.ConnectionClosedError(endpoint_url="http://127.0.0.1"),
    boto.HTTPClientError(error=OSError("reset")),
    boto.SSLError(endpoint_url="https://127.0.0.1", error=OSError("bad record")),
    boto.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    boto.ResponseStreamingError(error=OSError("reset")),
    ResponseParserError("Unable to parse response, invalid XML received"),
    refusal("502", "Bad Gateway", status=502),
    refusal("InternalFailure", status=500),
    refusal("ServiceUnavailable", status=503),
    refusal("RequestTimeout", status=408),
    refusal("", status=403),
]
"""No usable answer: what AWS did is not known."""

UNREACHED = [
    boto.ConnectTimeoutError(endpoint_url="http://127.0.0.1"),
    boto.EndpointConnectionError(endpoint_url="http://127.0.0.1"),
    boto.ProxyConnectionError(proxy_url="http://127.0.0.1", error="refused"),
]

WITHOUT_CREDENTIALS = [
    boto.NoCredentialsError(),
    boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
    boto.CredentialRetrievalError(provider="iam-role", error_msg="no role"),
    boto.MetadataRetrievalError(error_msg="no metadata"),
    boto.ProfileNotFound(profile="nobody"),
    boto.UnauthorizedSSOTokenError(),
    boto.TokenRetrievalError(provider="sso", error_msg="old"),
]

UNMAKEABLE = [
    boto.NoRegionError(),
    boto.ParamValidationError(report="Unknown parameter"),
    boto.UnknownServiceError(service_name="ec3", known_service_names="ec2"),
]


def kind(error: Exception, *, change: bool) -> type[CloudError]:
    return type(cloud_error(error, ACTION, change=change))


def named(value: object) -> str:
    if isinstance(value, boto.ClientError):
        answer = value.response["Error"]
        return f"{answer['Code']}-{answer['Message'][:30]}"
    return value.__name__ if isinstance(value, type) else type(value).__name__


@pytest.mark.parametrize("change", [False, True], ids=["read", "change"])
@pytest.mark.parametrize(("error", "expected"), ANSWERS, ids=named)
def test_what_aws_answers_decides_the_class(
    error: Exception, expected: type[CloudError], change: bool
) -> None:
    assert kind(error, change=change) is expected


@pytest.mark.parametrize("error", UNANSWERED, ids=named)
def test_a_read_without_a_usable_answer_means_that_aws_is_unavailable(error: Exception) -> None:
    assert kind(error, change=False) is CloudUnavailable


@pytest.mark.parametrize("error", UNANSWERED, ids=named)
def test_a_change_without_a_usable_answer_has_an_unknown_outcome(error: Exception) -> None:
    assert kind(error, change=True) is OutcomeUnknown


@pytest.mark.parametrize("error", UNREACHED, ids=named)
def test_a_change_that_never_reached_aws_has_not_happened(error: Exception) -> None:
    assert kind(error, change=True) is CloudUnavailable


@pytest.mark.parametrize("error", WITHOUT_CREDENTIALS, ids=named)
def test_missing_credentials_are_bad_credentials(error: Exception) -> None:
    assert kind(error, change=True) is BadCredentials


@pytest.mark.parametrize("error", UNMAKEABLE, ids=named)
def test_a_call_that_cannot_be_made_is_unexpected_and_has_not_happened(error: Exception) -> None:
    assert kind(error, change=True) is Unexpected


def test_an_answer_to_a_read_that_makes_no_sense_is_unexpected() -> None:
    assert kind(KeyError("AutoScalingGroups"), change=False) is Unexpected


def test_an_answer_to_a_change_that_makes_no_sense_leaves_the_outcome_unknown() -> None:
    assert kind(KeyError("Activity"), change=True) is OutcomeUnknown


def test_the_text_names_the_action_the_code_and_the_message_of_aws() -> None:
    detail = cloud_error(refusal("Throttling", "Rate exceeded"), ACTION, change=False).detail
    assert detail == f"{ACTION}: Throttling (HTTP 400): Rate exceeded"


def test_a_quoted_session_token_is_not_repeated() -> None:
    quoting = refusal("SignatureDoesNotMatch", "should have been 'x-amz-security-token:SECRET'", 403)
    assert "SECRET" not in cloud_error(quoting, ACTION, change=False).detail


def test_an_expired_request_hints_at_the_clock() -> None:
    assert "Check the clock" in cloud_error(refusal("RequestExpired"), ACTION, change=False).detail


def test_a_long_message_is_cut_and_stays_one_line() -> None:
    detail = cloud_error(refusal("Odd", "line\n" * 500), ACTION, change=False).detail
    assert ("\n" in detail, len(detail) < 400) == (False, True)


def test_the_original_error_is_kept_as_the_cause() -> None:
    original = boto.NoRegionError()
    with pytest.raises(Unexpected) as caught, translated(ACTION, change=False):
        raise original
    assert caught.value.__cause__ is original


def test_our_own_errors_pass_unchanged() -> None:
    ours = GroupMissing("gone")
    with pytest.raises(GroupMissing) as caught, translated(ACTION, change=True):
        raise ours
    assert caught.value is ours


def test_an_end_of_the_process_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), translated(ACTION, change=True):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "special", [InstanceGone, AtMinSize, ActivityInProgress, InvalidRequest, WouldSucceed]
)
def test_what_only_the_gateway_knows_carries_a_public_code(special: type[CloudError]) -> None:
    assert special.code == cast("type[CloudError]", special.__mro__[1]).code
