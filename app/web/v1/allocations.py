"""Allocations: a project holds an instance."""

from datetime import timedelta

from flask import Blueprint, Response

from app.api.v1 import AllocateRequest, Allocation, AllocationPage, ConfirmRequest, RenewRequest
from app.domain.access import Role
from app.domain.errors import (
    AllocatedElsewhere,
    AllocationNotFound,
    InvalidProjectId,
    PoolExhausted,
    PoolNotFound,
    TtlTooLong,
)
from app.domain.model import InstanceId, ProjectId
from app.ports import Catalogue
from app.service.allocation import Allocator
from app.web import auth, cursors, examples, facts, hangup, rendering
from app.web.operations import Reply, operation
from app.web.queries import AllocationsQuery

TAG = "Allocations"


def blueprint(allocator: Allocator, catalogue: Catalogue) -> Blueprint:
    """Serve /v1/allocations."""
    pages = Blueprint("allocations", __name__, url_prefix="/v1/allocations")

    @pages.get("")
    @operation(
        "listAllocations",
        TAG,
        Role.VIEWER,
        query=AllocationsQuery,
        replies={200: Reply(what="A part of the list", model=AllocationPage, example=examples.ALLOCATIONS)},
    )
    def listed(query: AllocationsQuery) -> Response:
        """List the allocations.

        By project. What is being released is no longer among them.
        """
        after = cursors.read("allocations", query.cursor)
        found = catalogue.allocations(
            pool=query.pool,
            after=None if after is None else ProjectId(after),
            limit=query.limit,
        )
        return rendering.page("allocations", found, lambda one: one.project, rendering.allocation)

    @pages.get("/<project>")
    @operation(
        "getAllocation",
        TAG,
        Role.VIEWER,
        replies={200: Reply(what="The allocation", model=Allocation, example=examples.ALLOCATION)},
        errors=(InvalidProjectId, AllocationNotFound),
    )
    def one(project: str) -> Response:
        """Show the project's allocation.

        Allocates nothing: a project that holds no instance is answered 404.
        """
        held = catalogue.allocation(facts.project_id(project))
        return rendering.answer(rendering.allocation(facts.of(held)))

    @pages.put("/<project>")
    @operation(
        "allocate",
        TAG,
        Role.ALLOCATOR,
        body=AllocateRequest,
        body_needed=False,
        body_example=examples.ALLOCATE,
        replies={
            201: Reply(
                what="The project got an instance",
                model=Allocation,
                example=examples.NEW,
                headers={"Location": "Path of the allocation"},
            ),
            200: Reply(
                what="The project holds an instance already: this one",
                model=Allocation,
                example=examples.ALLOCATION,
                headers={"Location": "Path of the allocation"},
            ),
        },
        errors=(InvalidProjectId, TtlTooLong, PoolNotFound, AllocatedElsewhere, PoolExhausted),
    )
    def allocate(project: str, body: AllocateRequest) -> Response:
        """Allocate an instance to a project.

        The project gets an idle instance, at once and for itself alone. Asked again, it gets the same one:
        repeat the request as often as you like, for example when an answer was lost. A project holds one
        instance at most, over all pools.

        Where nothing is idle, the answer is 503 with `Retry-After` and `estimatedWaitSeconds`, and the
        shortage counts as demand: more instances are started. With `wait`, the request waits in line for up
        to so many seconds before that; who came first is served first, whichever replica they asked.

        With `ttl`, a new allocation is released after so many seconds unless it is renewed. With
        `confirmWithin`, a new allocation is released after so many seconds unless it is confirmed, renewed or
        seen in use before: an instance whose answer never arrived comes back by itself. An allocation that
        exists is left as it is, whatever is asked for.
        """
        claimed = allocator.allocate(
            facts.project_id(project),
            actor=auth.actor(),
            pool=None if body.pool is None else facts.pool_name(body.pool),
            wait=timedelta(seconds=body.wait),
            ttl=_span(body.ttl),
            confirm_within=_span(body.confirm_within),
            gone=hangup.client_gone(),
        )
        return rendering.answer(
            rendering.allocation(facts.claimed(claimed)),
            status=201 if claimed.created else 200,
            headers={"Location": f"/v1/allocations/{project}"},
        )

    @pages.post("/<project>/renew")
    @operation(
        "renewAllocation",
        TAG,
        Role.ALLOCATOR,
        body=RenewRequest,
        body_example=examples.RENEW,
        replies={200: Reply(what="The allocation", model=Allocation, example=examples.ALLOCATION)},
        errors=(InvalidProjectId, TtlTooLong, AllocationNotFound),
    )
    def renew(project: str, body: RenewRequest) -> Response:
        """Renew the project's allocation.

        It lasts `ttl` seconds from now, whatever was set before; with `"ttl": null` it has no time limit.
        That confirms it, too. With `instance`, it is 404 where the project holds another one by now.
        """
        renewed = allocator.renew(
            facts.project_id(project), _span(body.ttl), only=_meant(body), actor=auth.actor()
        )
        return rendering.answer(rendering.allocation(facts.of(renewed)))

    @pages.post("/<project>/confirm")
    @operation(
        "confirmAllocation",
        TAG,
        Role.ALLOCATOR,
        body=ConfirmRequest,
        body_needed=False,
        body_example=examples.CONFIRM,
        replies={200: Reply(what="The allocation", model=Allocation, example=examples.ALLOCATION)},
        errors=(InvalidProjectId, AllocationNotFound),
    )
    def confirm(project: str, body: ConfirmRequest) -> Response:
        """Confirm the project's allocation.

        Says that the answer has arrived, so that an allocation made with `confirmWithin` goes on. The same
        again, or for an allocation that needs no confirmation, changes nothing. Name the `instance` that
        arrived: it is 404 then where the project holds another one by now, which is not confirmed by that.
        """
        confirmed = allocator.confirm(facts.project_id(project), only=_meant(body), actor=auth.actor())
        return rendering.answer(rendering.allocation(facts.of(confirmed)))

    @pages.delete("/<project>")
    @operation(
        "release",
        TAG,
        Role.ALLOCATOR,
        replies={
            202: Reply(
                what="The allocation as it ends: `state` is `terminating`",
                model=Allocation,
                example=examples.RELEASED,
            )
        },
        errors=(InvalidProjectId, AllocationNotFound),
    )
    def release(project: str) -> Response:
        """Release the project's instance.

        The instance is terminated, with all that is on it, and never handed out again. That is decided when
        the answer comes; AWS does it soon after. The project may allocate again at once, and gets another
        instance.
        """
        released = allocator.release(facts.project_id(project), actor=auth.actor())
        return rendering.answer(rendering.allocation(facts.of(released)), status=202)

    return pages


def _meant(body: RenewRequest | ConfirmRequest) -> InstanceId | None:
    return None if body.instance is None else facts.instance_id(body.instance)


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
