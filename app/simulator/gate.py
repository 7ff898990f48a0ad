"""The front door: every request to the cloud passes here. Control calls go one way, AWS calls the other."""

import re
import socket
from collections.abc import Callable, Iterable
from io import BytesIO
from threading import Event, RLock
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import structlog
from werkzeug.wrappers import Request, Response

from app.simulator.calls import Call, Calls
from app.simulator.errors import as_xml
from app.simulator.faults import Fault, Faults

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

CONTROL = "/_cloud"
BAD = 400
CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request")
ERROR_CODE = re.compile(r"<Code>([^<]+)</Code>")
BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)

log = structlog.get_logger()


class Gate:
    """Counts AWS calls, lets faults strike, and lets one call at a time to moto, which is not thread-safe."""

    def __init__(
        self, aws: WsgiApp, control: WsgiApp, *, account: str, lock: RLock, calls: Calls, faults: Faults,
        latency: float, wake: Callable[[], None],
    ) -> None:  # fmt: skip
        self._aws = aws
        self._control = control
        self._account = account
        self._lock = lock
        self._calls = calls
        self._faults = faults
        self._latency = latency
        self._wake = wake
        self._over = Event()

    def close(self) -> None:
        """Let calls that are being delayed go on at once."""
        self._over.set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        request = Request(environ)
        if request.path == CONTROL or request.path.startswith(f"{CONTROL}/"):
            return self._control(environ, start_response)
        call = _read(request)
        if call is None:
            return _not_aws(environ, start_response)
        self._calls.begin(call)
        response = self._answer(call, environ)
        if response is None:
            _hang_up(environ)
        response.headers["X-Simulated-Cloud"] = "yes"  # for who would not try everything on a mere mock
        return response(environ, start_response)

    def _answer(self, call: Call, environ: dict[str, Any]) -> Response | None:
        """Return the answer; None when the connection is to be closed without one."""
        struck = self._faults.strike(call.action, call.groups)
        self._pause(self._latency + sum(fault.seconds for fault in struck if fault.kind == "delay"))
        fatal = next((fault for fault in struck if fault.kind != "delay"), None)
        if fatal is not None and fatal.kind != "drop-after":
            return _fail(call, fatal)
        response = self._do(call, environ)
        if fatal is not None:
            call.end(f"{call.outcome}, answer lost")
            return None
        return response

    def _do(self, call: Call, environ: dict[str, Any]) -> Response:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account
        try:
            with self._lock:
                response = Response.from_app(self._aws, environ, buffered=True)
        except NotImplementedError:
            message = f"The simulated cloud has no action {call.action}."
            return _refuse(call, "InvalidAction", message, 400)
        except Exception:
            log.exception("aws.failed", action=call.action, params=call.params)
            return _refuse(call, "InternalFailure", "The simulated cloud failed; its log tells more.", 500)
        finally:
            if not call.action.startswith("Describe"):
                self._wake()
        code = ERROR_CODE.search(response.get_data(as_text=True)) if response.status_code >= BAD else None
        call.end(code[1] if code else "ok", response.status_code)
        return response

    def _pause(self, seconds: float) -> None:
        if seconds:
            self._over.wait(seconds)


def _read(request: Request) -> Call | None:
    """Return the AWS call a request makes; None when it makes none."""
    credential = CREDENTIAL.search(request.headers.get("Authorization", ""))
    if credential is None:
        return None
    body = request.get_data(cache=True)
    request.environ["wsgi.input"] = BytesIO(body)
    params = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    params.pop("Version", None)
    action = params.pop("Action", request.headers.get("X-Amz-Target", "unknown").rpartition(".")[2])
    return Call(
        service=credential[2],
        action=action,
        params=params,
        caller=credential[1],
        agent=request.headers.get("User-Agent", ""),
    )


def _fail(call: Call, fault: Fault) -> Response | None:
    if fault.kind == "drop":
        call.end("dropped")
        return None
    if fault.kind == "html":
        call.end("html", 502)
        return Response(BAD_GATEWAY, 502, content_type="text/html")
    return _refuse(call, fault.code, fault.message, fault.status)


def _refuse(call: Call, code: str, message: str, status: int) -> Response:
    call.end(code, status)
    body = as_xml(call.service, code, message, status)
    return Response(body, status, content_type="text/xml;charset=UTF-8")


def _not_aws(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    text = "This is a simulated AWS cloud: point AWS_ENDPOINT_URL here. What it does: /_cloud/state\n"
    return Response(text, 404, content_type="text/plain")(environ, start_response)


def _hang_up(environ: dict[str, Any]) -> NoReturn:
    """Close the connection without an answer; werkzeug takes the exception for a client that went away."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError
