"""Signatures, by the specification's own code and its example."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.webhook import signature
from tests.unit.webhook.now import the_real_time

BODY = '{"type":"allocation.created","data":{"project":"möwe"}}'
OLD, NEW = b"o" * 32, b"n" * 32


def reader(key: bytes) -> Webhook:
    return Webhook("whsec_" + base64.b64encode(key).decode())


def test_the_example_of_the_specification_comes_out() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)

    made = signature.headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', at=at)

    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_specifications_own_code_takes_a_message() -> None:
    made = signature.headers([OLD], "msg_1", BODY.encode(), at=the_real_time())

    assert reader(OLD).verify(BODY, made)["data"] == {"project": "möwe"}


@pytest.mark.parametrize("key", [OLD, NEW])
def test_with_two_secrets_each_of_them_is_enough(key: bytes) -> None:
    made = signature.headers([NEW, OLD], "msg_1", BODY.encode(), at=the_real_time())

    assert reader(key).verify(BODY, made)


def test_a_changed_body_is_found_out() -> None:
    made = signature.headers([OLD], "msg_1", BODY.encode(), at=the_real_time())

    with pytest.raises(WebhookVerificationError):
        reader(OLD).verify(BODY.replace("created", "lost"), made)


def test_a_changed_id_is_found_out() -> None:
    made = signature.headers([OLD], "msg_1", BODY.encode(), at=the_real_time())

    with pytest.raises(WebhookVerificationError):
        reader(OLD).verify(BODY, made | {"webhook-id": "msg_2"})


def test_another_secret_is_found_out() -> None:
    made = signature.headers([OLD], "msg_1", BODY.encode(), at=the_real_time())

    with pytest.raises(WebhookVerificationError):
        reader(NEW).verify(BODY, made)
