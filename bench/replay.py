"""What AWS says of a group of thousands: the simulated cloud's own XML, put together once more.

The simulated cloud plays a group of some hundred instances well, and would take minutes for ten thousand. So
it is asked about a group of one, and its answers are cut where that instance begins and ends: what stands
there is written anew for each of ours, with all its fields.
"""

import itertools
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Self

from app.bootstrap.clock import SystemClock

Params = Mapping[str, str]

ID, ADDRESS, ZONE, LAUNCHED, TAGS = "%ID%", "%ADDRESS%", "%ZONE%", "%LAUNCHED%", "%TAGS%"
DESIRED, MAX, HERE, REQUEST = "%DESIRED%", "%MAX%", "%HERE%", "%REQUEST%"
"""Where something of ours is filled in: none of these signs stands in XML of AWS's."""
ZONES = ("us-east-1a", "us-east-1b")
PAGE = 1000
GROUP_TAG = "tag:aws:autoscaling:groupName"


class Refused(Exception):
    """A call that this AWS does not know."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The simulated cloud's answers with gaps in them, and what it says of one instance, with gaps, too."""

    groups: str
    member: str
    instances: str
    reservation: str
    raised: str
    tagged: str
    activities: str

    @classmethod
    def kept(cls, file: Path) -> Self:
        """Read them from where they were kept; the first time, ask the simulated cloud."""
        if not file.exists():
            file.write_text(json.dumps(asdict(cls.asked())))
        return cls(**json.loads(file.read_text()))

    @classmethod
    def asked(cls) -> Self:
        """Start a simulated cloud, and cut up what it answers."""
        from bench.pattern import Pattern  # noqa: PLC0415 - moto loads slowly, and is needed once alone

        with Pattern() as pattern:
            group = "AutoScalingGroupNames.member.1=vscode-asg"
            groups = pattern.ask("autoscaling", f"DescribeAutoScalingGroups&{group}")
            instances = pattern.ask("ec2", "DescribeInstances")
            of_group = "AutoScalingGroupName=vscode-asg"
            raised = pattern.ask("autoscaling", f"SetDesiredCapacity&{of_group}&DesiredCapacity=1")
            activities = pattern.ask("autoscaling", f"DescribeScalingActivities&{of_group}")
            tagged = pattern.ask("ec2", f"CreateTags&ResourceId.1={pattern.id}&Tag.1.Key=a&Tag.1.Value=b")
            gaps = pattern.gaps
        member, reservation = _between(groups, "Instances"), _between(instances, "reservationSet")
        return cls(
            groups=_figures(groups.replace(member, HERE)),
            member=_filled(member, gaps),
            instances=_request(instances.replace(reservation, HERE)),
            reservation=_filled(reservation, gaps).replace("</tagSet>", f"{TAGS}</tagSet>"),
            raised=_request(raised),
            tagged=_request(tagged),
            activities=_request(activities.replace(_between(activities, "Activities"), "")),
        )


@dataclass(slots=True)
class Member:
    """One instance of the group: in service, healthy, running, protected."""

    id: str
    address: str
    zone: str
    launched_at: datetime
    tags: dict[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """Write it into the gaps."""
        tags = "".join(
            f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>"
            for key, value in self.tags.items()
        )
        launched = self.launched_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        filled = text.replace(ID, self.id.removeprefix("i-")).replace(ADDRESS, self.address)
        return filled.replace(ZONE, self.zone).replace(LAUNCHED, launched).replace(TAGS, tags)


class Replay:
    """A group that answers its describes, and launches at once whatever it is asked for.

    One caller at a time.
    """

    def __init__(self, answers: Answers, members: Iterable[Member], *, room: int) -> None:
        """Take who is in the group, and how many more it may have."""
        self._answers = answers
        self._members = {member.id: member for member in members}
        self._desired = len(self._members)
        self._max = self._desired + room
        self._clock = SystemClock()
        self._launched = itertools.count()
        self._listed = [member.fill(answers.member) for member in self._members.values()]
        self._actions: dict[str, Callable[[Params], str]] = {
            "DescribeAutoScalingGroups": self._groups,
            "DescribeInstances": self._instances,
            "DescribeScalingActivities": lambda _: self._answers.activities,
            "SetDesiredCapacity": self._raise,
            "CreateTags": self._tag,
        }

    def answer(self, action: str, params: Params) -> str:
        """Do what a call asks for; return AWS's answer. Raises Refused."""
        if action not in self._actions:
            raise Refused(action)
        return self._actions[action](params).replace(REQUEST, secrets.token_hex(16))

    def _groups(self, params: Params) -> str:
        figures = self._answers.groups.replace(DESIRED, str(self._desired)).replace(MAX, str(self._max))
        listed = [] if params.get("IncludeInstances") == "false" else self._listed
        return figures.replace(HERE, "".join(listed))

    def _instances(self, params: Params) -> str:
        name, values = _filter(params)
        if name == GROUP_TAG:
            wanted = list(self._members.values())
        elif name == "instance-id":
            wanted = [self._members[one] for one in values if one in self._members]
        else:
            raise Refused(f"DescribeInstances by {name}")
        start = int(params.get("NextToken", "0"))
        end = start + min(PAGE, int(params.get("MaxResults", PAGE)))
        text = "".join(member.fill(self._answers.reservation) for member in wanted[start:end])
        more = f"<nextToken>{end}</nextToken>" if end < len(wanted) else ""
        ends = "</reservationSet>"
        return self._answers.instances.replace(HERE, text).replace(ends, ends + more)

    def _raise(self, params: Params) -> str:
        wanted = int(params["DesiredCapacity"])
        for _ in range(wanted - len(self._members)):
            number = next(self._launched)
            identity = f"i-{sha256(f'launched {number}'.encode()).hexdigest()[:17]}"
            address = f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
            zone = ZONES[number % len(ZONES)]
            member = self._members[identity] = Member(identity, address, zone, self._clock.now())
            self._listed.append(member.fill(self._answers.member))
        self._desired = wanted
        return self._answers.raised

    def _tag(self, params: Params) -> str:
        keys = [name for name in params if name.startswith("Tag.") and name.endswith(".Key")]
        tags = {params[name]: params[f"{name.removesuffix('Key')}Value"] for name in keys}
        self._members[params["ResourceId.1"]].tags |= tags
        return self._answers.tagged


def _filter(params: Params) -> tuple[str, Sequence[str]]:
    values = [value for name, value in params.items() if name.startswith("Filter.1.Value.")]
    return params.get("Filter.1.Name", ""), values


def _between(text: str, tag: str) -> str:
    return text.partition(f"<{tag}>")[2].rpartition(f"</{tag}>")[0]


def _put(text: str, tag: str, gap: str) -> str:
    before, begin, rest = text.partition(f"<{tag}>")
    _, end, after = rest.partition(f"</{tag}>")
    if not end:
        raise ValueError(f"no {tag} in {text[:200]}")
    return f"{before}{begin}{gap}{end}{after}"


def _request(text: str) -> str:
    return _put(text, "RequestId" if "<RequestId>" in text else "requestId", REQUEST)


def _figures(text: str) -> str:
    return _request(_put(_put(text, "DesiredCapacity", DESIRED), "MaxSize", MAX))


def _filled(text: str, gaps: Mapping[str, str]) -> str:
    for what, gap in gaps.items():
        text = text.replace(what, gap)
    return _put(text, "launchTime", LAUNCHED) if "<launchTime>" in text else text
