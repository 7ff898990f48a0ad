"""The poller alone: `python scheduler.py`. Serve HTTP elsewhere, with ORCHESTRATOR_POLLER=off.

SIGTERM and SIGINT end it after the pass in hand. ORCHESTRATOR_METRICS_BIND says where it serves its metrics.
"""

import signal
import sys
from contextlib import ExitStack
from threading import Event

import structlog

from app.domain.errors import StartRefused
from app.settings import load_settings
from app.telemetry import folder, logs


def main() -> None:
    """Run passes until told to stop."""
    settings = load_settings()
    logs.configure(settings.log_format, settings.secrets)
    folder.leave()  # after `.env` was read, and before anything imports prometheus_client
    from app import bootstrap  # noqa: PLC0415
    from app.telemetry import server  # noqa: PLC0415

    bootstrap.give_back_memory()
    services = bootstrap.build(settings)
    served = ExitStack()
    if settings.metrics_bind is not None:
        served.callback(server.serve(settings.metrics_bind, services.metrics))
    log = structlog.get_logger()
    for warning in (*settings.warnings, *services.warnings()):
        log.warning("settings.warning", detail=warning)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    services.poller.start()
    services.roll_call.begin(serves=False, polls=True)
    for pool in settings.pools.values():
        log.info("poller.started", pool=pool.name, group=pool.group, region=pool.region)
    stop.wait()
    services.close()
    served.close()
    log.info("poller.stopped")


if __name__ == "__main__":
    try:
        main()
    except StartRefused as refusal:
        sys.exit(f"{refusal.title()}.\n{refusal.detail}")
