"""Sending over TLS: only who proves to be the host of the URL gets a message."""

import ssl
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.ports import Answer
from app.webhook import WebhookSender
from tests.fake_clock import FakeClock
from tests.receiving import KEY, Receiver
from tests.unit.webhook.now import the_real_time

BODY = '{"type":"allocation.created","data":{}}'
HOST = "hooks.example.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of HOST and of 127.0.0.1, which signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    names = [x509.DNSName(HOST), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(the_real_time() - timedelta(days=1))
        .not_valid_after(the_real_time() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def asked() -> list[str | None]:
    """The names that clients asked for (SNI)."""
    return []


@pytest.fixture
def receiver(certificate: Path, asked: list[str | None]) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with Receiver(tls=context) as receiver:
        yield receiver


def sent(receiver: Receiver, host: str, trusted: Path | None) -> Answer:
    def trust() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=None if trusted is None else str(trusted))

    return WebhookSender(
        f"https://{host}:{receiver.port}/",
        [KEY],
        clock=FakeClock(the_real_time()),
        lookup=lambda *_: ["127.0.0.1"],
        context=trust,
    ).send("msg_1", BODY)


def test_who_has_a_certificate_of_the_host_gets_the_message(
    receiver: Receiver, certificate: Path, asked: list[str | None]
) -> None:
    assert sent(receiver, HOST, certificate) == Answer(taken=True)
    assert receiver.got[0].kind == "allocation.created"
    assert asked == [HOST]


def test_an_address_can_have_a_certificate_too(receiver: Receiver, certificate: Path) -> None:
    assert sent(receiver, "127.0.0.1", certificate).taken


def test_a_certificate_of_another_host_gets_nothing(receiver: Receiver, certificate: Path) -> None:
    answer = sent(receiver, "other.example.com", certificate)

    assert not answer.taken
    assert "certificate is not good" in str(answer.error)
    assert receiver.got == []


def test_a_certificate_that_nobody_vouches_for_gets_nothing(receiver: Receiver) -> None:
    answer = sent(receiver, HOST, None)

    assert "certificate is not good" in str(answer.error)
    assert receiver.got == []


def test_who_speaks_no_tls_gets_nothing() -> None:
    with Receiver() as plain:
        assert not sent(plain, HOST, None).taken
        assert plain.got == []
