"""What to do about warnings and limits: docs/reference/warnings.md has it at length, a test compares."""

from app.domain.verdict import REMEDIES

LIMITS: dict[str, str] = {limit.value: remedy for limit, remedy in REMEDIES.items()}
"""Why the buffer cannot be met, and what helps."""

_BY_HAND = "Nothing is ended by the service: end it by hand once nobody needs it."
_LOOK = "Look at the group's hooks and suspended processes."

WARNINGS = {
    "absurd-look": "Are region, account and group right? For instances that are really gone: "
    "ec2-orchestrator destroy",
    "back-from-the-dead": _BY_HAND,
    "boot-failures": "Look at one that boots, and make a new version of the launch template.",
    "boot-unwatched": "If nobody uses it: ec2-orchestrator destroy",
    "desired-moved": "Remove the scaling policy or the scheduled action.",
    "desired-unknown": "Grant autoscaling:DescribeAutoScalingGroups.",
    "detached": _BY_HAND,
    "details-missing": "Look at it in the AWS console, and end it by hand.",
    "details-unknown": "It usually passes.",
    "group-checks-elb": "Set the group's health check type to EC2 alone.",
    "group-limits-lifetime": "Set the group's maximum instance lifetime to 0.",
    "group-process-suspended": "Resume the process.",
    "group-rebalances": "Suspend the group's process AZRebalance.",
    "group-rebalances-spot": "Switch capacity rebalancing off.",
    "group-reuses-instances": "Switch the warm pool's ReuseOnScaleIn off.",
    "holder-disputed": "Nothing breaks; find out who wrote the tag.",
    "holder-unknown": "Find out who uses it; to end it: ec2-orchestrator destroy",
    "launch-capacity": "Wait, or give the group more types and zones.",
    "launch-configuration": "Mend the launch template.",
    "launch-quota": "Ask AWS for a higher quota.",
    "launch-slow": _LOOK,
    "launch-unexplained": "Grant autoscaling:DescribeScalingActivities, or look into the group's activities.",
    "leak": _BY_HAND,
    "members-unprotected": "The warning beside it says what AWS answered.",
    "no-address": "Set ORCHESTRATOR_ADDRESS=private, or give the subnet public addresses.",
    "no-pass": "Does a poller run (ORCHESTRATOR_POLLER, scheduler.py), and does AWS answer?",
    "paused": "To go on: ec2-orchestrator resume",
    "pool-unknown": "Put it back into the pools file, or end its instances by hand.",
    "setup": "ec2-orchestrator doctor tells all of it.",
    "termination-stuck": _LOOK,
    "webhook-dead": "Mend the receiver, then: ec2-orchestrator webhooks retry --dead, or discard --dead",
    "webhook-failing": "Mend the receiver; what it answered: ec2-orchestrator webhooks --state pending",
    "unknown-lifecycle": "Nothing, or put it back in service.",
}
"""What to do about each warning."""

_AWS = "On the service's machine, this tells more: ec2-orchestrator doctor"


def of_warning(code: str) -> str | None:
    """Return what to do; None where this version does not know."""
    return _AWS if code.startswith("aws-") else WARNINGS.get(code)
