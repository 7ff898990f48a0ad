"""Instances: the EC2 members of the pools' groups."""

from datetime import timedelta

from flask import Blueprint, Response

from app.api.v1 import HoldRequest, Instance, InstancePage
from app.domain.access import Role
from app.domain.errors import HoldTooLate, InstanceNotFound, InvalidInstanceId
from app.domain.model import InstanceId
from app.ports import Catalogue
from app.service.allocation import Allocator
from app.web import auth, cursors, examples, facts, rendering
from app.web.operations import Reply, operation
from app.web.queries import InstancesQuery

TAG = "Instances"


def blueprint(allocator: Allocator, catalogue: Catalogue) -> Blueprint:
    """Serve /v1/instances."""
    pages = Blueprint("instances", __name__, url_prefix="/v1/instances")

    @pages.get("")
    @operation(
        "listInstances",
        TAG,
        Role.VIEWER,
        query=InstancesQuery,
        replies={200: Reply(what="A part of the list", model=InstancePage, example=examples.INSTANCES)},
    )
    def listed(query: InstancesQuery) -> Response:
        """List the instances.

        By id. Those that are terminated are listed with `state=terminated` alone.
        """
        after = cursors.read("instances", query.cursor)
        found = catalogue.instances(
            pool=query.pool,
            state=query.state,
            after=None if after is None else InstanceId(after),
            limit=query.limit,
        )
        return rendering.page("instances", found, lambda one: one.id, rendering.instance)

    @pages.get("/<instance>")
    @operation(
        "getInstance",
        TAG,
        Role.VIEWER,
        replies={200: Reply(what="The instance", model=Instance, example=examples.INSTANCE)},
        errors=(InvalidInstanceId, InstanceNotFound),
    )
    def one(instance: str) -> Response:
        """Show an instance.

        Whatever its state: what was terminated long ago is still known.
        """
        found = catalogue.instance(facts.instance_id(instance))
        return rendering.answer(rendering.instance(facts.of(found)))

    @pages.delete("/<instance>")
    @operation(
        "destroyInstance",
        TAG,
        Role.ADMIN,
        replies={
            202: Reply(
                what="The instance as it ends: `state` is `terminating`",
                model=Instance,
                example=examples.ENDING,
            )
        },
        errors=(InvalidInstanceId, InstanceNotFound),
    )
    def destroy(instance: str) -> Response:
        """Terminate an instance.

        Whoever holds it loses it, and may allocate again at once. The same again, while it is going away, is
        answered the same. One that is held is terminated when its hold ends.
        """
        ending = allocator.destroy(facts.instance_id(instance), actor=auth.actor())
        return rendering.answer(rendering.instance(facts.of(ending)), status=202)

    @pages.put("/<instance>/hold")
    @operation(
        "holdInstance",
        TAG,
        Role.ADMIN,
        body=HoldRequest,
        body_needed=False,
        body_example=examples.HOLD,
        replies={200: Reply(what="The instance, held", model=Instance, example=examples.HELD)},
        errors=(InvalidInstanceId, InstanceNotFound, HoldTooLate),
    )
    def hold(instance: str, body: HoldRequest) -> Response:
        """Hold an instance for inspection.

        Until the hold ends, the instance is not handed out, not replaced, not expired and not terminated;
        what is released or destroyed meanwhile waits for that. The buffer is filled up beside it. Asked
        again, the new request stands in place of the old.
        """
        held = allocator.hold(
            facts.instance_id(instance),
            actor=auth.actor(),
            ttl=None if body.ttl is None else timedelta(seconds=body.ttl),
            reason=body.reason,
        )
        return rendering.answer(rendering.instance(facts.of(held)))

    @pages.delete("/<instance>/hold")
    @operation(
        "unholdInstance",
        TAG,
        Role.ADMIN,
        replies={200: Reply(what="The instance, not held", model=Instance, example=examples.INSTANCE)},
        errors=(InvalidInstanceId, InstanceNotFound),
    )
    def unhold(instance: str) -> Response:
        """End the hold of an instance.

        Where there is none, nothing changes.
        """
        freed = allocator.unhold(facts.instance_id(instance), actor=auth.actor())
        return rendering.answer(rendering.instance(facts.of(freed)))

    return pages
