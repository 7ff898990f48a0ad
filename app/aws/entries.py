"""The long lists in AWS's answers: where their entries are, and what an entry says.

Rests on the answers of DescribeAutoScalingGroups and DescribeInstances, as the API references show them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from botocore.parsers import ResponseParserError

from app.aws.translate import Answer


@dataclass(frozen=True, slots=True)
class LongList:
    """A list that makes up nearly all of an answer."""

    element: str
    entry: str
    """The element that stands once for each entry; what is between two of them is of no use."""
    owner: str
    """An element that stands in the answer once for each such list."""

    def place(self, body: bytes) -> slice | None:
        """Tell where in an answer its entries are; None where it is not plain which they are."""
        opening, closing = _tags(self.element)
        begin, end = body.find(opening) + len(opening), body.rfind(closing)
        if not len(opening) <= begin <= body.find(closing) == end or body.find(opening, begin) >= 0:
            return None  # there is none, or more than one
        owner, _ = _tags(self.owner)
        if body.count(owner, 0, begin) + body.count(owner, end) != 1:
            return None  # another one stands there that is written in another way
        if b"!" in body and b"<!" in body:  # to look for the one sign is ten times as quick
            return None  # a comment, or CDATA: what looks like an entry there is none
        return slice(begin, end)

    def first(self, body: bytes, place: slice) -> slice | None:
        """Tell where the first entry there is; None where there is none. Raises Unusual."""
        first, last = _tags(self.entry)
        start = body.find(first, place.start, place.stop)
        end = body.find(last, place.start, place.stop)
        if start < 0 and end < 0:
            return None
        if not 0 <= start < end or body.find(first, start + 1, end) >= 0:
            raise Unusual  # one that does not begin, or end, as it should, or that is within another
        return slice(start, end + len(last))


MEMBERS = LongList("Instances", "member", owner="AutoScalingGroupName")
"""Of DescribeAutoScalingGroups: the members of one group."""
RESERVATIONS = LongList("reservationSet", "instancesSet", owner="reservationSet")
"""Of DescribeInstances: of a reservation, nothing but its instances is wanted."""


class Unusual(Exception):
    """It is not plain which the entries are: botocore is to read the whole answer."""


def member(entry: bytes) -> Answer:
    """Read one of MEMBERS into what botocore makes of it, as far as we need it."""
    element = _parsed(entry)
    fields: dict[str, Any] = {one.tag: one.text or "" for one in element}
    fields["ProtectedFromScaleIn"] = fields.get("ProtectedFromScaleIn") == "true"
    template = element.find("LaunchTemplate")
    if template is not None:
        fields["LaunchTemplate"] = {one.tag: one.text or "" for one in template}
    return fields


def instances(entry: bytes) -> list[Answer]:
    """Read one of RESERVATIONS into what botocore makes of its instances, as far as we need it."""
    return [_instance(item) for item in _parsed(entry)]


def _instance(item: Element) -> Answer:
    identity = item.findtext("instanceId")
    if not identity:
        raise ResponseParserError("an instance has no id")
    return {
        "InstanceId": identity,
        "State": {"Name": item.findtext("instanceState/name", "")},
        "PublicIpAddress": item.findtext("ipAddress"),
        "PrivateIpAddress": item.findtext("privateIpAddress"),
        "Placement": {"AvailabilityZone": item.findtext("placement/availabilityZone")},
        "LaunchTime": _moment(item.findtext("launchTime", "")),
        "Tags": [
            {"Key": tag.findtext("key"), "Value": tag.findtext("value", "")}
            for tag in item.iterfind("tagSet/item")
        ],
    }


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _parsed(entry: bytes) -> Element:
    try:
        return fromstring(entry)  # noqa: S314 - from AWS, as all that botocore parses
    except ParseError as error:
        raise ResponseParserError(f"an entry of a list is no XML ({error})") from error


def _tags(name: str) -> tuple[bytes, bytes]:
    return f"<{name}>".encode(), f"</{name}>".encode()
