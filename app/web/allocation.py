"""The main job, as the seed has it: hand an instance to a project, and end one."""

from datetime import timedelta

from flask import Blueprint, Response
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter

from app.api.seed import Destroyed, DestroyRequest, SeedAllocation
from app.domain.access import Role
from app.domain.errors import (
    InstanceNotFound,
    InvalidInstanceId,
    InvalidProjectId,
    PoolExhausted,
)
from app.domain.model import RESERVED_NAMES
from app.service.allocation import Allocator
from app.web import auth, current, examples, facts, hangup, rendering
from app.web.operations import Reply, operation
from app.web.queries import SeedQuery, WaitQuery

TAG = "In short"
TAKES = ("GET", "OPTIONS")
"""The methods of GET /<projectId>."""


class FirstWord(BaseConverter):
    """Takes what may be meant as a project: no page's name, and nothing with a dot, like favicon.ico."""

    regex = rf"(?!(?:{'|'.join(sorted(RESERVED_NAMES))})\Z)[^/.]+"


def blueprint(allocator: Allocator) -> Blueprint:
    """Serve GET /<projectId> and POST /destroy."""
    pages = Blueprint("allocation", __name__)

    @pages.route("/<first_word:name>", methods=TAKES, provide_automatic_options=False)
    @operation(
        "takeInstance",
        TAG,
        Role.ALLOCATOR,
        query=WaitQuery,
        replies={
            200: Reply(what="The project's instance", model=SeedAllocation, example=examples.SEED_ALLOCATION)
        },
        errors=(InvalidProjectId, PoolExhausted),
        problems={404: {"not-found": "Not Found"}},
    )
    def allocate(name: str, query: WaitQuery) -> Response:
        """Get the project's instance.

        Allocates: takes an idle instance of the pool `default` where the project holds none. Asked again, it
        is the same instance. For new programs `PUT /v1/allocations/{project}` is the better way: it tells
        more, and nothing that follows links can take an instance by it.

        Unknown parameters are ignored here.
        """
        if current.request().method == "OPTIONS":
            return Response(status=204, headers={"Allow": ", ".join(TAKES)})
        claimed = allocator.allocate(
            facts.project_id(name),
            actor=auth.actor(),
            wait=timedelta(seconds=query.wait),
            gone=hangup.client_gone(),
        )
        return rendering.answer(rendering.seed_allocation(facts.claimed(claimed)))

    @pages.post("/destroy")
    @operation(
        "destroyMachine",
        TAG,
        Role.ADMIN,
        query=SeedQuery,
        body=DestroyRequest,
        body_example=examples.DESTROY,
        as_the_seed=True,
        replies={200: Reply(what="The instance as it ends", model=Destroyed, example=examples.DESTROYED)},
        errors=(InvalidInstanceId, InstanceNotFound),
    )
    def destroy(body: DestroyRequest) -> Response:
        """Terminate an instance.

        `projectId` is who held it, or null. The same again, while it is going away, is answered the same.
        """
        ending = allocator.destroy(facts.instance_id(body.machine_id), actor=auth.actor())
        return rendering.answer(rendering.destroyed(facts.of(ending)))

    pages.record_once(_without_head)
    return pages


def _without_head(state: BlueprintSetupState) -> None:
    """Take back HEAD, which werkzeug adds to every GET: it would have to take an instance."""
    for rule in state.app.url_map.iter_rules("allocation.allocate"):
        rule.methods = set(TAKES)
