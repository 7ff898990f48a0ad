"""The metrics of a process that serves nothing else."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.registry import Collector

from app.domain.errors import SettingsInvalid


def serve(bind: str, counted: Collector) -> Callable[[], None]:
    """Serve what was counted at HOST:PORT, in a thread; return what ends it. Raises SettingsInvalid."""
    host, _, port = bind.rpartition(":")
    registry = CollectorRegistry()
    registry.register(counted)
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry=registry)
    except OSError as error:
        raise SettingsInvalid(f"ORCHESTRATOR_METRICS_BIND={bind!r}: {error.strerror or error}") from None

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
