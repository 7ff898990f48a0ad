"""Pools: one Auto Scaling group each, and what is wanted of it."""

import re
from collections.abc import Collection

from flask import Blueprint, Response, request

from app.api.v1 import Pool, PoolPage, PoolPatch
from app.domain.access import Role
from app.domain.controls import Change
from app.domain.errors import InvalidPoolName, PoolNotFound, VersionChanged
from app.domain.model import DEFAULT_POOL, PoolName
from app.ports import Page as Found
from app.service.operator import Operator
from app.service.status import PoolStatus, StatusReader
from app.web import auth, cursors, examples, facts, rendering
from app.web.operations import Reply, operation
from app.web.queries import PageQuery

TAG = "Pools"

_TAG_INSIDE = re.compile('"([^"]*)"')
_VERSION = re.compile("0|[1-9][0-9]{0,8}")
_TAGGED = {
    "ETag": "The version of what operators set of this pool (`buffer` and `paused`), for `If-Match`. The "
    "other fields change without it: it does not tell whether a copy is still good"
}


def blueprint(status_reader: StatusReader, operator: Operator) -> Blueprint:
    """Serve /v1/pools."""
    pages = Blueprint("pools", __name__, url_prefix="/v1/pools")

    @pages.get("")
    @operation(
        "listPools",
        TAG,
        Role.VIEWER,
        query=PageQuery,
        replies={200: Reply(what="A part of the list", model=PoolPage, example=examples.POOLS)},
    )
    def listed(query: PageQuery) -> Response:
        """List the pools.

        `default` first, the others by name.
        """
        after = cursors.read("pools", query.cursor)
        rest = [
            one
            for one in status_reader.pools()
            if after is None or _place(one.config.name) > _place(PoolName(after))
        ]
        part = Found(rest[: query.limit], more=len(rest) > query.limit)
        return rendering.page("pools", part, lambda one: one.config.name, rendering.pool)

    @pages.get("/<name>")
    @operation(
        "getPool",
        TAG,
        Role.VIEWER,
        replies={200: Reply(what="The pool", model=Pool, example=examples.POOL, headers=_TAGGED)},
        errors=(InvalidPoolName, PoolNotFound),
    )
    def one(name: str) -> Response:
        """Show a pool.

        `limitedBy` and `warnings` say why its buffer is not full, and what else an operator should know.
        """
        return _tagged(status_reader.pool(facts.pool_name(name)))

    @pages.patch("/<name>")
    @operation(
        "changePool",
        TAG,
        Role.ADMIN,
        body=PoolPatch,
        body_example=examples.PATCH,
        headers={
            "If-Match": "The `ETag` of the pool as you read it: the change is refused where somebody else "
            "has changed the pool since"
        },
        replies={
            200: Reply(
                what="The pool as the change left it", model=Pool, example=examples.CHANGED, headers=_TAGGED
            )
        },
        errors=(InvalidPoolName, PoolNotFound, VersionChanged),
    )
    def change(name: str, body: PoolPatch) -> Response:
        """Change a pool.

        What is left out stays as it is. The change survives restarts and holds at every replica.

        - `buffer`: how many idle instances to keep ready; `null` gives up what was set here, so that the
          settings' own number holds again.
        - `paused`: with `true` nothing is changed at AWS any more: nothing started, terminated, tagged or
          protected. Claims and releases go on, with the instances there are.

        With `If-Match`, the change is made only where nobody changed the pool since; 412 otherwise.
        """
        given = body.model_fields_set
        # Read first: once the change is made nothing may fail, and no other change may get into the answer.
        pool = facts.pool_name(name)
        beneath = status_reader.beneath(pool)
        changed = operator.change(
            pool,
            Change(
                buffer=body.buffer,
                as_configured="buffer" in given and body.buffer is None,
                paused=body.paused if "paused" in given else None,
            ),
            expect=_expected(),
            actor=auth.actor(),
        )
        return _tagged(beneath(changed))

    return pages


def _place(name: PoolName) -> tuple[bool, PoolName]:
    return name != DEFAULT_POOL, name


def _tagged(pool: PoolStatus) -> Response:
    return rendering.answer(rendering.pool(pool), headers={"ETag": f'"{pool.controls.version}"'})


def _expected() -> Collection[int] | None:
    """Return the versions that If-Match names; None where any will do.

    Weak tags are as good: proxies that compress make strong ones weak. What no version is matches none.
    """
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    return {int(tag) for tag in _TAG_INSIDE.findall(given) if _VERSION.fullmatch(tag)}
