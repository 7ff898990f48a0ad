"""The nouns and their rules."""

import pytest

from app.domain.errors import InvalidInstanceId, InvalidProjectId
from app.domain.model import (
    RESERVED_NAMES,
    TRANSITIONS,
    InstanceState,
    instance_id,
    project_id,
    url_of,
)


@pytest.mark.parametrize("text", ["a", "7", "my-project", "My_Project-2", "x" * 63, "Status"])
def test_a_project_id_is_letters_digits_dash_and_underscore(text: str) -> None:
    assert project_id(text) == text


@pytest.mark.parametrize(
    "text", ["", "-a", "_a", "a b", "a.b", "a/b", "ü", "x" * 64, "a\n", "a%20b", *sorted(RESERVED_NAMES)]
)
def test_anything_else_is_not_a_project_id(text: str) -> None:
    with pytest.raises(InvalidProjectId):
        project_id(text)


@pytest.mark.parametrize("text", ["i-0123abcd", "i-0123456789abcdef0"])
def test_an_instance_id_has_8_or_17_hex_digits(text: str) -> None:
    assert instance_id(text) == text


@pytest.mark.parametrize("text", ["", "i-", "i-0123ABCD", "i-0123456789", "x-0123abcd", "i-0123abcd\n"])
def test_anything_else_is_not_an_instance_id(text: str) -> None:
    with pytest.raises(InvalidInstanceId):
        instance_id(text)


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(InstanceState)


def test_no_way_leads_from_allocated_back_to_idle() -> None:
    reachable, frontier = set(), {InstanceState.ALLOCATED}
    while frontier:
        reachable |= frontier
        frontier = {to for state in frontier for to in TRANSITIONS[state]} - reachable

    assert InstanceState.IDLE not in reachable


def test_an_ipv6_address_stands_in_brackets_in_a_url() -> None:
    assert url_of("2001:db8::1", 8080) == "http://[2001:db8::1]:8080"
