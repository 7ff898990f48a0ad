"""How gunicorn serves wsgi:app. It finds this file by itself in the folder it is started from."""

import gc
import logging
from typing import Any

import structlog
from gunicorn.glogging import Logger

from app.domain.errors import StartRefused
from app.settings import load_settings
from app.telemetry import folder, logs

# Until the first worker is made there is no garbage worth looking for: looking takes a tenth of the start.
gc.disable()

try:
    settings = load_settings()
    counting = folder.of_this_process()  # before anything imports prometheus_client, which looks for it
except StartRefused as refusal:
    raise SystemExit(f"{refusal.title()}.\n{refusal.detail}") from None

bind = settings.bind
worker_class = "app.web.worker.PatientWorker"  # gthread, but not for ever
threads = settings.threads
keepalive = 75  # longer than a load balancer keeps an idle connection (ALB: 60 s): it closes first, not we
graceful_timeout = 30
timeout = 60
forwarded_allow_ips = ""  # gunicorn's own is this machine; ORCHESTRATOR_PROXY_HOPS says who is believed
control_socket_disable = True  # its default path is shared by every gunicorn of one user


class Structured(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Sends gunicorn's own lines the way all others go, and leaves the access log to the application."""

    def setup(self, _cfg: Any) -> None:
        """Hand every line on to the root logger."""
        self.error_log.setLevel(logging.INFO)
        self.error_log.propagate = True

    def access(self, *_: Any) -> None:
        """Write nothing."""


logger_class = Structured


def on_starting(server: Any) -> None:
    """Refuse, in one sentence and before any worker exists, what could not be served safely."""
    logs.configure(settings.log_format, settings.secrets)
    log = structlog.get_logger()
    if server.cfg.bind != [settings.bind]:
        raise SystemExit(
            "Set the address with ORCHESTRATOR_BIND, not with --bind: what guards the service depends on it."
        )
    if server.cfg.threads != settings.threads:
        raise SystemExit(
            "Set the number of threads with ORCHESTRATOR_THREADS, not with --threads: the connections to the "
            "database fit them."
        )
    if server.cfg.forwarded_allow_ips:
        raise SystemExit(
            "Say with ORCHESTRATOR_PROXY_HOPS how many proxies are in front, not with --forwarded-allow-ips: "
            "who asks, and from where, is judged by it."
        )
    if server.cfg.preload_app:
        raise SystemExit("--preload is not supported: connections and threads do not survive the fork.")
    counting.begin()
    from app import bootstrap  # noqa: PLC0415 - loads everything, which the refusals above need not wait for

    bootstrap.give_back_memory()  # the workers are forked from this process, and do the same
    try:
        services = bootstrap.build(settings)
        warnings = (*settings.warnings, *services.warnings())
        bootstrap.refuse_unguarded(settings, services.gate)
        services.close()
    except StartRefused as refusal:
        raise SystemExit(f"{refusal.title()}.\n{refusal.detail}") from None
    for warning in warnings:
        log.warning("settings.warning", detail=warning)


def pre_fork(_server: Any, _worker: Any) -> None:
    """See to it that the worker finds where to count, and looks for garbage among its own alone.

    What is loaded by now stays: to look through it would stop all threads for a tenth of a second each time,
    and give the worker a copy of it all.
    """
    counting.before_fork()
    gc.freeze()
    gc.enable()


def post_worker_init(worker: Any) -> None:
    """Start the poller and the roll call: after the fork, which threads would not survive."""
    import wsgi  # noqa: PLC0415 - the worker has loaded it by now; the master must not

    gc.freeze()
    wsgi.services.waiting_room.open_while(lambda: worker.alive)  # requests in line hold up no stop
    if settings.poller == "on":
        wsgi.services.poller.start()
    wsgi.services.roll_call.begin(serves=True, polls=settings.poller == "on")


def worker_exit(_server: Any, _worker: Any) -> None:
    """Finish the pass in hand."""
    import sys  # noqa: PLC0415

    loaded = sys.modules.get("wsgi")  # absent where the worker never got so far
    if loaded is not None:
        loaded.services.close()


def child_exit(_server: Any, worker: Any) -> None:
    """Keep what the worker counted, however it ended."""
    counting.ended(worker.pid)
