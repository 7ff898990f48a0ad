"""How AWS is set up for one group's pool: looked at before it matters.

Rests on the Auto Scaling user guide, in the chapters that notices.py names, and for the clock on "Create a
signed AWS API request" in the IAM user guide: AWS refuses what was signed more than five minutes ago.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import chain, islice
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from app.aws import entries, notices, translate
from app.aws.connection import Connection
from app.aws.entries import MEMBERS
from app.aws.memory import Memory
from app.aws.permissions import Permissions
from app.aws.translate import Answer
from app.domain.errors import BadCredentials, CloudError, Denied, Throttled, Unexpected
from app.domain.finding import Finding, Verdict
from app.domain.model import Notice
from app.ports import Clock

NOTICEABLE_SKEW = timedelta(seconds=60)
FATAL_SKEW = timedelta(seconds=300)

SIMULATED = "x-simulated-cloud"
"""A header of each answer of our simulated cloud, which refuses what AWS would."""

_DESCRIBE = "autoscaling:DescribeAutoScalingGroups"


@dataclass(frozen=True, slots=True, kw_only=True)
class _First:
    """What came of the first call: the group as AWS describes it, or why there is none."""

    group: Answer | None = None
    notices: tuple[Notice, ...] = ()
    error: CloudError | None = None
    asked_at: datetime
    answered_at: datetime
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def genuine(self) -> bool:
        """Whether this is AWS, or our simulated cloud, which says so in a header."""
        host = urlsplit(self.endpoint).hostname or ""
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn")) or SIMULATED in self.headers

    @property
    def heard(self) -> bool:
        """Whether AWS knows who we are, and answered."""
        return self.error is None or isinstance(self.error, Denied)


class AwsPreflight:
    """The Preflight port over boto3: about ten calls, none of which can change anything.


    All the same, `confirm` is called before each that AWS would take for a change; what it raises comes out.
    """

    def __init__(
        self,
        connection: Connection,
        group: str,
        clock: Clock,
        *,
        confirm: Callable[[], None],
        patient: bool = False,
    ) -> None:
        """Where it is `patient`, it waits for room in our own budget, and leaves most of it to passes."""
        self._aws = connection
        self._group = group
        self._clock = clock
        self._patient = patient
        self._permissions = Permissions(connection, group, confirm, patient=patient)

    def examine(self, buffer: int) -> Sequence[Finding]:
        """Tell of each thing that must be right whether it is; see the port.

        Where the first call shows that AWS cannot be asked at all, nothing else is tried.
        """
        first = self._ask()
        findings = [self._access(first), self._skew(first)]
        if not first.heard:
            return findings
        findings.append(self._existence(first))
        if first.group is not None:
            findings += [self._room(first.group, buffer), self._protection(first.group)]
            findings += self._settings(first)
        findings.append(self._listing(first))
        listable = first.error is None
        return [
            *findings,
            *self._permissions.examine(first.group, listable=listable, genuine=first.genuine),
        ]

    def _ask(self) -> _First:
        asked_at = self._clock.now()
        members = Memory(MEMBERS, _UntilInService())
        try:
            with self._aws.reading(_DESCRIBE, patient=self._patient) as clients, members.cutting_out():
                answer = clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self._group])
                groups = [
                    _with_one_member(one, members.of(answer))
                    for one in answer["AutoScalingGroups"]
                    if one["AutoScalingGroupName"] == self._group
                ]
                return _First(
                    group=groups[0] if groups else None,
                    notices=tuple(notices.hazards(groups[0])) if groups else (),
                    asked_at=asked_at,
                    answered_at=self._clock.now(),
                    endpoint=clients.autoscaling.meta.endpoint_url,
                    headers=answer["ResponseMetadata"]["HTTPHeaders"],
                )
        except CloudError as error:
            return _First(
                error=error,
                asked_at=asked_at,
                answered_at=self._clock.now(),
                endpoint="",
                headers=_headers(error),
            )

    def _access(self, first: _First) -> Finding:
        check = "AWS credentials and region"
        if first.heard:
            return _fine(check, f"AWS knows who asks, in {self._aws.region}.")
        detail = first.error.detail if first.error else ""
        if isinstance(first.error, BadCredentials):
            return Finding(
                check=check,
                verdict=Verdict.FAILURE,
                detail=detail,
                remedy="Give the service an instance profile, or valid access keys; to see which are used: "
                f"aws sts get-caller-identity --region {self._aws.region}",
            )
        if isinstance(first.error, Unexpected):
            # Every look at AWS begins with this very call.
            return Finding(
                check=check,
                verdict=Verdict.FAILURE,
                detail=detail,
                remedy=f"Is '{self._aws.region}' the group's region? aws ec2 describe-regions lists all.",
            )
        return Finding(
            check=check,
            verdict=Verdict.UNKNOWN if isinstance(first.error, Throttled) else Verdict.FAILURE,
            detail=detail,
            remedy="Ask again in a minute; if it stays so, see whether this machine reaches "
            f"https://autoscaling.{self._aws.region}.amazonaws.com",
        )

    def _skew(self, first: _First) -> Finding:
        check = "clock of this machine"
        told = _date(first.headers)
        if told is None:
            return Finding(check=check, verdict=Verdict.UNKNOWN, detail="AWS told no time to compare with.")
        # AWS's time is cut to the second, and was written somewhere between our asking and its answer.
        skew = max(told - first.answered_at, first.asked_at - told - timedelta(seconds=1), timedelta())
        if skew <= NOTICEABLE_SKEW:
            return _fine(check, "It agrees with AWS's clock.")
        ahead = told < first.asked_at
        return Finding(
            check=check,
            verdict=Verdict.FAILURE if skew > FATAL_SKEW else Verdict.WARNING,
            detail=f"It is {skew.total_seconds():.0f} s {'ahead of' if ahead else 'behind'} AWS's clock. AWS "
            f"refuses requests from {FATAL_SKEW.total_seconds():.0f} s on.",
            remedy="Keep the time by NTP: chronyc tracking, or timedatectl status, tells how it stands.",
        )

    def _existence(self, first: _First) -> Finding:
        check = "Auto Scaling group"
        if first.error is not None:
            return Finding(
                check=check,
                verdict=Verdict.UNKNOWN,
                detail=f"Whether '{self._group}' exists cannot be told without {_DESCRIBE}.",
                remedy=f"Allow {_DESCRIBE}.",
            )
        if first.group is None:
            return Finding(
                check=check,
                verdict=Verdict.FAILURE,
                detail=f"There is no '{self._group}' in this account in {self._aws.region}.",
                remedy="These there are: aws autoscaling describe-auto-scaling-groups "
                f"--query AutoScalingGroups[].AutoScalingGroupName --region {self._aws.region}",
            )
        figures = translate.group(first.group)
        return _fine(
            check,
            f"'{self._group}' exists, with min {figures.min_size}, desired {figures.desired}, "
            f"max {figures.max_size}.",
        )

    def _room(self, group: Answer, buffer: int) -> Finding:
        check = "max size of the group"
        figures = translate.group(group)
        needed = (figures.min_size or 0) + buffer
        if figures.max_size is not None and figures.max_size >= needed:
            return _fine(check, f"{figures.max_size} leaves room for the buffer of {buffer}.")
        return Finding(
            check=check,
            verdict=Verdict.WARNING,
            detail=f"{figures.max_size} is less than min size + buffer ({needed}): it leaves no instance to "
            "hand out while the buffer is full.",
            remedy=self._update(f"--max-size {needed}"),
        )

    def _protection(self, group: Answer) -> Finding:
        check = "protection of new instances"
        if translate.protects_new(group):
            return _fine(check, "The group protects new instances from scale-in.")
        return Finding(
            check=check,
            verdict=Verdict.OK,
            detail="The group does not protect new instances from scale-in: the service protects each before "
            "it is handed out. Until then, whoever lowers desired capacity may end it.",
            remedy=self._update("--new-instances-protected-from-scale-in"),
        )

    def _settings(self, first: _First) -> Iterator[Finding]:
        for code, (check, fine, remedy) in self._hazards().items():
            found = [notice for notice in first.notices if notice.code == code]
            for notice in found:
                yield Finding(check=check, verdict=Verdict.WARNING, detail=notice.detail, remedy=remedy)
            if not found:
                yield _fine(check, fine)

    def _hazards(self) -> dict[str, tuple[str, str, str]]:
        """Map each code of notices.hazards to a check, to what is said where it is well, and to a remedy."""
        return {
            "group-rebalances": (
                "zone rebalancing",
                "AWS does not end instances to even out zones.",
                self._command("suspend-processes", "--scaling-processes AZRebalance"),
            ),
            "group-limits-lifetime": (
                "maximum instance lifetime",
                "None is set.",
                self._update("--max-instance-lifetime 0"),
            ),
            "group-checks-elb": (
                "health check",
                "No load balancer decides over instances in use.",
                self._update("--health-check-type EC2"),
            ),
            "group-rebalances-spot": (
                "Capacity Rebalancing",
                "It is off.",
                self._update("--no-capacity-rebalance"),
            ),
            "group-reuses-instances": (
                "reuse by a warm pool",
                "No instance is taken back for another project.",
                self._command("put-warm-pool", "--instance-reuse-policy ReuseOnScaleIn=false"),
            ),
            "group-process-suspended": (
                "suspended processes",
                "Launch and Terminate are at work.",
                self._command("resume-processes", "--scaling-processes Launch Terminate"),
            ),
        }

    def _listing(self, first: _First) -> Finding:
        check = f"permission {_DESCRIBE}"
        if first.error is None:
            return _fine(check, "Allowed.")
        return Finding(
            check=check,
            verdict=Verdict.WARNING,
            detail="Desired, min and max size are unknown: desired capacity is raised only while every "
            f"member is protected from scale-in. ({first.error.detail})",
            remedy=f'Allow it in the IAM policy: {{"Effect": "Allow", "Action": "{_DESCRIBE}", '
            '"Resource": "*"}',
        )

    def _update(self, options: str) -> str:
        return self._command("update-auto-scaling-group", options)

    def _command(self, command: str, options: str) -> str:
        return (
            f"aws autoscaling {command} --auto-scaling-group-name {self._group} {options} "
            f"--region {self._aws.region}"
        )


def _fine(check: str, detail: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, detail=detail)


class _UntilInService:
    """Reads members until one is in service, and none after it: there may be thousands."""

    def __init__(self) -> None:
        self._found = False

    def __call__(self, entry: bytes) -> Answer | None:
        if self._found:
            return None
        member = entries.member(entry)
        self._found = _is_in_service(member)
        return member


def _with_one_member(group: Answer, members: Iterable[Answer | None]) -> Answer:
    """Return the group with one member in service, if there is one."""
    every = chain(group.get("Instances", []), members)
    in_service = (one for one in every if one is not None and _is_in_service(one))
    return {**group, "Instances": list(islice(in_service, 1))}


def _is_in_service(member: Answer) -> bool:
    return member.get("LifecycleState") == "InService"


def _headers(error: CloudError) -> Mapping[str, str]:
    """Return the headers of an answer that was an error: a wrong clock is told by a refusal alone."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return {}
    headers: Mapping[str, str] = cause.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        told = parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return told.astimezone(UTC) if told.tzinfo else None
