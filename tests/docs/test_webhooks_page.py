"""docs/howto/webhooks.md tells of every message, and its code checks signatures as it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.domain.messages import MessageKind
from app.domain.retries import PAUSES
from app.settings.webhook import keys
from app.webhook import signature
from tests.receiving import KEY, SECRET
from tests.unit.webhook.now import the_real_time

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "webhooks.md").read_text()
BODY = b'{"type":"allocation.created"}'


@pytest.fixture(scope="module")
def is_genuine() -> Any:
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "def is_genuine" in one)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["is_genuine"]


@pytest.mark.parametrize("kind", MessageKind)
def test_every_message_stands_on_the_page(kind: MessageKind) -> None:
    assert f"| `{kind.value}` |" in PAGE


def test_the_code_takes_what_is_genuine(is_genuine: Any) -> None:
    made = signature.headers([KEY], "msg_1", BODY, at=the_real_time())

    assert is_genuine(made, BODY, SECRET)


def test_the_code_takes_one_of_two_signatures(is_genuine: Any) -> None:
    made = signature.headers([b"n" * 32, KEY], "msg_1", BODY, at=the_real_time())

    assert is_genuine(made, BODY, SECRET)


def test_the_code_refuses_what_was_changed(is_genuine: Any) -> None:
    made = signature.headers([KEY], "msg_1", BODY, at=the_real_time())

    assert not is_genuine(made, BODY + b" ", SECRET)
    assert not is_genuine(made | {"webhook-id": "msg_2"}, BODY, SECRET)
    assert not is_genuine(made | {"webhook-timestamp": "1"}, BODY, SECRET)


def test_the_padding_of_the_secret_may_be_left_out(is_genuine: Any) -> None:
    made = signature.headers([KEY], "msg_1", BODY, at=the_real_time())

    assert is_genuine(made, BODY, SECRET.rstrip("="))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize(
    "odd", [None, "", "é", "\u0661\u0662", "x" * 5000, "9" * 5000, "v1,é v1,", "-1", "1.5"]
)
def test_the_code_refuses_odd_and_missing_headers(is_genuine: Any, name: str, odd: str | None) -> None:
    made = dict(signature.headers([KEY], "msg_1", BODY, at=the_real_time()))
    del made[name]
    if odd is not None:
        made[name] = odd

    assert is_genuine(made, BODY, SECRET) is False


def test_who_copies_the_settings_as_they_stand_there_has_no_secret_that_everybody_knows() -> None:
    (secret,) = re.findall("ORCHESTRATOR_WEBHOOK_SECRET=(.*)", PAGE)

    with pytest.raises(ValueError, match="must be whsec_"):
        keys(secret)


def test_the_pauses_stand_on_the_page() -> None:
    assert "5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 6 h, 12 h, 24 h and 24 h" in PAGE
    told = [5, 30, 120, 600, 1800, 7200, 21600, 43200, 86400, 86400]
    assert [pause.total_seconds() for pause in PAUSES] == told
