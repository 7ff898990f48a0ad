"""Addresses that nothing connects to: link-local, metadata, and all the ways to write them."""

import pytest

from app.domain.addresses import address_of, objection

METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::a9fe:a9fe%eth0",
]
DISGUISED = [
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:0:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:a9:fe00::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:5601:5601",  # Teredo: the client's address stands there inverted
]
NOBODY = ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "0", "::ffff:0.0.0.0"]
FINE = ["10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "54.123.45.67", "2a00:1450::1", "fd00::1", "127.1"]


def refused(host: str, *, link_local: bool = False) -> bool:
    address = address_of(host)
    assert address is not None
    return objection(address, link_local=link_local) is not None


@pytest.mark.parametrize("host", METADATA + DISGUISED)
def test_what_leads_to_secrets_is_refused_however_it_is_written(host: str) -> None:
    assert refused(host)


@pytest.mark.parametrize("host", METADATA + DISGUISED)
def test_it_can_be_allowed(host: str) -> None:
    assert not refused(host, link_local=True)


@pytest.mark.parametrize("host", NOBODY)
@pytest.mark.parametrize("link_local", [True, False])
def test_what_is_no_address_of_one_host_is_always_refused(host: str, link_local: bool) -> None:
    assert refused(host, link_local=link_local)


@pytest.mark.parametrize("host", FINE)
def test_all_others_are_fine_private_ones_too(host: str) -> None:
    assert not refused(host)


@pytest.mark.parametrize("host", ["hooks.example.com", "localhost", "metadata.google.internal", "", "ü"])
def test_a_name_is_no_address(host: str) -> None:
    assert address_of(host) is None
