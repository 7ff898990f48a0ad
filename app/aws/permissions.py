"""Whether we may do at AWS what we have to: each permission tried so that nothing can change.

Reading is tried by reading. A change is asked for in a way that AWS must refuse even to who is allowed, and
refuses in other words then: a size far above the group's max size, a member that cannot exist, a dry run. A
mock of AWS may check no sizes and carry the first one out, so that one is for AWS and our simulated cloud.
Rests on the API references of Auto Scaling and EC2, and on the Service Authorization Reference.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from app.aws.connection import Clients, Connection
from app.aws.errors import InstanceGone, InvalidRequest, WouldSucceed
from app.aws.translate import ALLOCATED_AT_TAG, PROJECT_TAG, Answer
from app.domain.errors import AboveMax, CloudError, Denied, GroupMissing
from app.domain.finding import Finding, Verdict

NOBODY = "i-00000000000000000"
"""An id that no instance has."""

ABSURD_SIZE = 2**31 - 1
"""The largest number that fits the API's integer: above the max size of every group there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A permission, and how it is tried."""

    action: str
    attempt: Callable[[Clients], object]
    refusals: tuple[type[CloudError], ...] = ()
    """What AWS answers only to who is allowed."""
    if_denied: Verdict = Verdict.WARNING
    without: str
    """What we cannot do without it, in a sentence."""
    resource: str = "*"
    change: bool = False
    doubt: str = ""
    """Why a denial may not mean what it seems to."""

    @property
    def expected(self) -> tuple[type[CloudError], ...]:
        """What AWS may answer where nothing is wrong."""
        return (*self.refusals, Denied) if self.if_denied is Verdict.UNKNOWN else self.refusals


class Permissions:
    """Tries what one group's pool needs. Changes nothing; raises nothing but what `confirm` raises."""

    def __init__(
        self, connection: Connection, group: str, confirm: Callable[[], None], *, patient: bool = False
    ) -> None:
        self._aws = connection
        self._confirm = confirm
        self._patient = patient
        self._group = group

    def examine(self, answer: Answer | None, *, listable: bool, genuine: bool) -> Iterator[Finding]:
        """Tell of each permission whether we have it.

        `answer` is what DescribeAutoScalingGroups says of the group, None where it says nothing; `listable`
        tells whether that call was allowed, and `genuine` whether who answers checks sizes as AWS does.
        """
        members = [
            str(one["InstanceId"])
            for one in (answer or {}).get("Instances", [])
            if one.get("LifecycleState") == "InService"
        ]
        arn = str((answer or {}).get("AutoScalingGroupARN") or "*")
        if not listable:
            yield self._try(self._list_instances())
        yield self._try(self._describe())
        yield self._try(self._activities())
        yield self._try_resize((answer or {}).get("MaxSize"), arn, genuine=genuine)
        yield self._try(self._terminate(arn))
        yield self._try(self._protect(arn))
        yield self._try_tag(members)

    def _list_instances(self) -> Trial:
        return Trial(
            action="autoscaling:DescribeAutoScalingInstances",
            attempt=lambda aws: aws.autoscaling.describe_auto_scaling_instances(MaxRecords=1),
            if_denied=Verdict.FAILURE,
            without="Members are not seen at all, because the group's own list is denied as well.",
        )

    def _describe(self) -> Trial:
        return Trial(
            action="ec2:DescribeInstances",
            attempt=lambda aws: aws.ec2.describe_instances(
                Filters=[{"Name": "tag:aws:autoscaling:groupName", "Values": [self._group]}], MaxResults=5
            ),
            if_denied=Verdict.FAILURE,
            without="No instance's address is known, so that none can be handed out.",
        )

    def _activities(self) -> Trial:
        return Trial(
            action="autoscaling:DescribeScalingActivities",
            attempt=lambda aws: aws.autoscaling.describe_scaling_activities(
                AutoScalingGroupName=self._group, MaxRecords=1
            ),
            refusals=(GroupMissing, InvalidRequest),
            without="Why AWS cannot launch instances is not told.",
        )

    def _try_resize(self, max_size: object, arn: str, *, genuine: bool) -> Finding:
        action = "autoscaling:SetDesiredCapacity"
        if not genuine:
            return _unknown(action, "Not tried: this is not AWS, and might do what AWS would refuse.")
        if not isinstance(max_size, int) or max_size >= ABSURD_SIZE:
            return _unknown(action, "Not tried: it takes the group's max size to ask for more than that.")
        return self._try(
            Trial(
                action=action,
                attempt=lambda aws: aws.autoscaling.set_desired_capacity(
                    AutoScalingGroupName=self._group, DesiredCapacity=ABSURD_SIZE, HonorCooldown=False
                ),
                refusals=(AboveMax, InvalidRequest),
                if_denied=Verdict.FAILURE,
                without="The buffer is never filled up.",
                resource=arn,
                change=True,
            )
        )

    def _terminate(self, arn: str) -> Trial:
        return Trial(
            action="autoscaling:TerminateInstanceInAutoScalingGroup",
            attempt=lambda aws: aws.autoscaling.terminate_instance_in_auto_scaling_group(
                InstanceId=NOBODY, ShouldDecrementDesiredCapacity=True
            ),
            refusals=(InstanceGone, InvalidRequest),
            if_denied=Verdict.UNKNOWN,
            without="Without it no instance that was released is ever ended.",
            resource=arn,
            change=True,
            doubt="It was denied for an instance that does not exist: a policy that names the group may do "
            "so, and yet allow to end a member.",
        )

    def _protect(self, arn: str) -> Trial:
        return Trial(
            action="autoscaling:SetInstanceProtection",
            attempt=lambda aws: aws.autoscaling.set_instance_protection(
                AutoScalingGroupName=self._group, InstanceIds=[NOBODY], ProtectedFromScaleIn=True
            ),
            refusals=(InstanceGone, InvalidRequest),
            without="Members that the group does not protect from scale-in stay unprotected.",
            resource=arn,
            change=True,
        )

    def _try_tag(self, members: list[str]) -> Finding:
        action = "ec2:CreateTags"
        if not members:
            return _unknown(action, "Not tried: the group shows no member in service to try it on.")
        return self._try(
            Trial(
                action=action,
                attempt=lambda aws: aws.ec2.create_tags(
                    DryRun=True,
                    Resources=[members[0]],
                    Tags=[{"Key": PROJECT_TAG, "Value": ""}, {"Key": ALLOCATED_AT_TAG, "Value": ""}],
                ),
                refusals=(WouldSucceed,),
                without="Who holds what is not written on the instances: it is lost with the database.",
                resource="arn:aws:ec2:*:*:instance/*",
                change=True,
            )
        )

    def _try(self, trial: Trial) -> Finding:
        try:
            with self._lend(trial) as clients:
                trial.attempt(clients)
        except Denied as denied:
            return Finding(
                check=f"permission {trial.action}",
                verdict=trial.if_denied,
                detail=" ".join(filter(None, (trial.without, trial.doubt, f"({denied.detail})"))),
                remedy="Allow it in the IAM policy: "
                f'{{"Effect": "Allow", "Action": "{trial.action}", "Resource": "{trial.resource}"}}',
            )
        except CloudError as error:
            if not isinstance(error, trial.refusals):
                return _unknown(trial.action, error.detail)
        return Finding(check=f"permission {trial.action}", verdict=Verdict.OK, detail="Allowed.")

    def _lend(self, trial: Trial) -> AbstractContextManager[Clients]:
        if trial.change:
            return self._aws.changing(
                trial.action, confirm=self._confirm, patient=self._patient, expecting=trial.expected
            )
        return self._aws.reading(trial.action, patient=self._patient, expecting=trial.expected)


def _unknown(action: str, why: str) -> Finding:
    return Finding(
        check=f"permission {action}",
        verdict=Verdict.UNKNOWN,
        detail=why,
        remedy="Ask again when AWS answers and the group exists and has a member.",
    )
