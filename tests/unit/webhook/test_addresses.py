"""Where a name leads: every address is judged, and none of another look-up is used."""

from collections.abc import Sequence

import pytest

from app.webhook.addresses import MOST, Lookup, Refused, addresses


def answering(*found: str) -> Lookup:
    return lambda _host, _port: found


def test_a_name_that_leads_to_good_addresses_has_them_in_their_order() -> None:
    lookup = answering("2a00:1450::1", "54.123.45.67")

    assert addresses("hooks.example.com", 443, link_local=False, lookup=lookup) == (
        "2a00:1450::1",
        "54.123.45.67",
    )


@pytest.mark.parametrize("bad", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "0.0.0.0"])
def test_one_bad_address_is_enough_to_refuse_a_name(bad: str) -> None:
    with pytest.raises(Refused, match="leads to"):
        addresses("rebinding.example.com", 80, link_local=False, lookup=answering("54.123.45.67", bad))


def test_a_metadata_address_can_be_allowed() -> None:
    lookup = answering("169.254.169.254")

    assert addresses("metadata", 80, link_local=True, lookup=lookup) == ("169.254.169.254",)


def test_an_address_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(Refused):
        addresses("hooks.example.com", 443, link_local=False, lookup=answering("not an address"))


def test_a_name_without_addresses_cannot_be_found() -> None:
    with pytest.raises(OSError, match="no address"):
        addresses("hooks.example.com", 443, link_local=False, lookup=answering())


def test_a_name_with_many_addresses_is_not_tried_for_ever() -> None:
    lookup = answering(*(f"10.0.0.{number}" for number in range(1, 100)))

    assert len(addresses("hooks.example.com", 443, link_local=False, lookup=lookup)) == MOST


def test_a_name_is_looked_up_once() -> None:
    asked: list[str] = []

    def lookup(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["54.123.45.67"]

    addresses("hooks.example.com", 443, link_local=False, lookup=lookup)

    assert asked == ["hooks.example.com"]


def test_the_system_finds_this_machine() -> None:
    assert "127.0.0.1" in addresses("127.0.0.1", 80, link_local=False)
