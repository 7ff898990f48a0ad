"""AWS's refusals, in AWS's words, and how an error looks on the wire.

The sentences were seen in the field, because AWS documents only codes; clients match them by substring.
"""

import uuid
from collections.abc import Iterable
from xml.sax.saxutils import escape

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.ec2.exceptions import EC2ClientError


def validation(message: str) -> AutoscalingClientError:
    """Auto Scaling's one code for everything that is wrong with a request."""
    return AutoscalingClientError("ValidationError", message)


def no_group() -> AutoscalingClientError:
    """There is no such group."""
    return validation("AutoScalingGroup name not found - null")


def above_max(asked: int, limit: int) -> AutoscalingClientError:
    """More than MaxSize was asked for (kubernetes/autoscaler#943)."""
    return validation(
        f"New SetDesiredCapacity value {asked} is above max value {limit} for the AutoScalingGroup."
    )


def below_min(asked: int, limit: int) -> AutoscalingClientError:
    """Less than MinSize was asked for."""
    return validation(
        f"New SetDesiredCapacity value {asked} is below min value {limit} for the AutoScalingGroup."
    )


def at_min(size: int) -> AutoscalingClientError:
    """Terminate with decrement would go below MinSize (buildkite/elastic-ci-stack-for-aws#1261)."""
    return validation(
        f"Currently, desiredSize equals minSize ({size}). Terminating instance without replacement will"
        " violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false"
        " or lower group's min size."
    )


def no_member(instance_id: str) -> AutoscalingClientError:
    """No group has this instance, or has it no more (keikoproj/upgrade-manager#25)."""
    return validation(f"Instance Id not found - No managed instance found for instance ID {instance_id}")


def not_in_service(instance_id: str) -> AutoscalingClientError:
    """Protection can be set only between boot and termination (guardian/riff-raff#510)."""
    return validation(f"The instance {instance_id} is not in InService or EnteringStandby or Standby.")


def busy(activity_id: str) -> AutoscalingClientError:
    """Refuse what is still Pending or already Terminating (kops#6900, AutoSpotting#354)."""
    return AutoscalingClientError("ScalingActivityInProgress", f"Activity {activity_id} is in progress.")


def too_many_ids() -> AutoscalingClientError:
    """More than 50 ids in one call (hjacobs/kube-aws-autoscaler#40)."""
    return validation("The number of instance ids that may be passed in is limited to 50")


def too_large(name: str, value: int, limit: int) -> AutoscalingClientError:
    """Refuse a number above what the API model allows."""
    return validation(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint:"
        f" Member must have value less than or equal to {limit}"
    )


def bad_filter(name: str) -> AutoscalingClientError:
    """Refuse a filter with values that cannot be."""
    return validation(f"The values of the filter '{name}' are not valid.")


def bad_token() -> AutoscalingClientError:
    """Refuse a NextToken that this cloud never gave."""
    return AutoscalingClientError("InvalidNextToken", "The token is not valid.")


def group_exists(name: str) -> AutoscalingClientError:
    """CreateAutoScalingGroup for the second time (hashicorp/terraform-provider-aws#2022)."""
    return AutoscalingClientError(
        "AlreadyExists",
        f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
    )


def group_in_use() -> AutoscalingClientError:
    """DeleteAutoScalingGroup without ForceDelete while there are instances."""
    return AutoscalingClientError(
        "ResourceInUse",
        "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s)"
        " still in the group.",
    )


def unknown_instances(ids: Iterable[str]) -> EC2ClientError:
    """EC2 fails the whole call when one id is unknown."""
    names = ", ".join(ids)
    noun, verb = ("IDs", "do") if "," in names else ("ID", "does")
    return EC2ClientError("InvalidInstanceID.NotFound", f"The instance {noun} '{names}' {verb} not exist")


def malformed_instance(instance_id: str) -> EC2ClientError:
    """Refuse what cannot be an instance id at all."""
    return EC2ClientError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')


def bad_page_size(value: int) -> EC2ClientError:
    """DescribeInstances takes 5 to 1000 results a page."""
    return EC2ClientError(
        "InvalidParameterValue",
        f"Value ( {value} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.",
    )


def too_many_filter_values() -> EC2ClientError:
    """All filters of one call together may hold 200 values."""
    return EC2ClientError(
        "FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200"
    )


def unknown_filter(name: str) -> EC2ClientError:
    """EC2 does not know this filter."""
    return EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")


def reserved_tag(key: str) -> EC2ClientError:
    """Keys that begin with `aws:` are AWS's own (EC2 user guide, tag restrictions)."""
    return EC2ClientError(
        "InvalidParameterValue",
        f"Value ( {key} ) for parameter key is invalid."
        " Tag keys starting with 'aws:' are reserved for internal use",
    )


def as_xml(service: str, code: str, message: str, status: int) -> str:
    """Render an error as EC2 does for ec2, as the query protocol does for everything else."""
    code, message, request = escape(code), escape(message), uuid.uuid4()
    if service == "ec2":
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request}</RequestID></Response>"
        )
    blame = "Sender" if status < 500 else "Receiver"  # noqa: PLR2004 - HTTP's own line
    return (
        f'<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">'
        f"<Error><Type>{blame}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{request}</RequestId></ErrorResponse>"
    )
