"""What schemathesis must know of the service beyond its document; each of these has a reason."""

import os
import re
from typing import Any

import schemathesis

from app.web import cursors

KEYS = {
    "allocations": "my-project",
    "instances": "i-0123456789abcdef0",
    "pools": "default",
    "events": "9",
    "webhooks": "9",
}
SPARE = "spare"
"""A pool that may be paused and resized: with `default` in such a state nothing else could be tested."""
EXAMPLE, HOLDABLE = "i-0123456789abcdef0", "SCHEMATHESIS_HOLDABLE"
"""The instance in the document's examples, and the variable that names one which is there and can be held."""
MESSAGE = "SCHEMATHESIS_MESSAGE"
"""The variable that names a message to the webhook that is there and can be sent once more."""
NEEDLESS = "SCHEMATHESIS_NEEDLESS"
"""The variable that names another, which can be discarded."""
LONGEST_WAIT = 0.2


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Make a request one that this test can afford."""
    for part in (case.query, case.body):
        if isinstance(part, dict):
            _wait_less(part)
    if isinstance(case.query, dict):
        _go_on_somewhere(case.path, case.query)
    names = case.path_parameters or {}
    if case.method == "PATCH" and names.get("name") == "default":
        names["name"] = SPARE
    if case.path.endswith("/hold") and names.get("instance") == EXAMPLE:
        names["instance"] = os.environ[HOLDABLE]  # noqa: TID251 - the one way from the test to here
    if names.get("message", "").startswith("msg_"):
        variable = NEEDLESS if case.method == "DELETE" else MESSAGE
        names["message"] = os.environ[variable]  # noqa: TID251 - as above


def _wait_less(part: dict[str, Any]) -> None:
    """A wait that is allowed takes as long as it says where nothing is idle."""
    wait = part.get("wait")
    if isinstance(wait, int | float) and LONGEST_WAIT < wait <= 60:
        part["wait"] = LONGEST_WAIT


def _go_on_somewhere(path: str, query: dict[str, Any]) -> None:
    """A cursor that looks like one is refused all the same unless the service made it."""
    if re.fullmatch("[A-Za-z0-9_-]{1,400}", str(query.get("cursor", ""))):
        name = path.rpartition("/")[2]
        query["cursor"] = cursors.written(name, KEYS[name])
