"""The main job: hand an instance to a project, and end one."""

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from app.domain.errors import InvalidBody
from app.domain.model import RESERVED_NAMES, instance_id, project_id
from app.service.allocation import Allocator
from app.web import auth, schemas


def blueprint(allocator: Allocator) -> Blueprint:
    """Serve GET /<projectId> and POST /destroy."""
    pages = Blueprint("allocation", __name__)

    @pages.route("/<name>", methods=["GET", "HEAD", "OPTIONS"], provide_automatic_options=False)
    def allocate(name: str) -> Response:
        if "." in name or name in RESERVED_NAMES:
            raise NotFound("There is no such page, and this cannot be a project id.")
        if request.method == "OPTIONS":
            return Response(status=204, headers={"Allow": "GET, OPTIONS"})
        project = project_id(name)
        if request.method == "HEAD":
            raise MethodNotAllowed(["GET", "OPTIONS"], "HEAD would have to take an instance: use GET.")
        claimed = allocator.allocate(project, actor=auth.actor())
        return jsonify(schemas.allocation(claimed.allocation))

    @pages.post("/destroy")
    def destroy() -> Response:
        if not request.is_json:
            raise InvalidBody("Send JSON, with the header 'Content-Type: application/json'.")
        body = schemas.destroy_request(request.get_data())
        ending = allocator.destroy(instance_id(body.machine_id), actor=auth.actor())
        return jsonify(schemas.destroyed(ending))

    @pages.route("/destroy", methods=["GET", "PUT", "PATCH", "DELETE"])
    def not_like_this() -> Response:
        raise MethodNotAllowed(["POST", "OPTIONS"])  # without this rule, /<name> would answer the GET

    return pages
