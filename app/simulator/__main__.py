"""`python -m app.simulator`: the simulated cloud as a program.

Exits 0 when stopped, 1 when it cannot start, 2 for wrong usage.
"""

import argparse
import signal
import sys
from threading import Event
from typing import TYPE_CHECKING, get_args

import structlog

from app.simulator.addresses import PORT_TAG
from app.simulator.config import CloudConfig, WorkerKind

if TYPE_CHECKING:
    from app.simulator.cloud import SimulatedCloud

LOG_LINE = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    try:
        config = _config(_parser().parse_args(arguments))
    except ValueError as error:
        return _say(2, str(error))
    over = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())

    structlog.configure(processors=LOG_LINE)
    from app.simulator.cloud import SimulatedCloud  # noqa: PLC0415 - moto loads slowly; a wrong option answers fast

    cloud = SimulatedCloud(config)
    try:
        cloud.start()
    except OSError as error:
        return _say(1, error.strerror or str(error))
    except RuntimeError as error:
        return _say(1, str(error))
    print(_greeting(cloud), flush=True)  # noqa: T201 - a program's own line
    over.wait()
    cloud.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    default = CloudConfig()
    parser = argparse.ArgumentParser(
        prog="python -m app.simulator",
        description="A simulated AWS cloud with Auto Scaling groups, on loopback only.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--bind", default=default.bind, metavar="HOST:PORT", help="where the AWS endpoint listens")
    add("--region", default=default.region, help="the only region of this cloud")
    add(
        "--group",
        action="append",
        metavar="NAME",
        help=f"name of the Auto Scaling group ({default.group}); again for each one more",
    )
    add("--min", type=int, default=default.min_size, help="MinSize")
    add("--max", type=int, default=default.max_size, help="MaxSize")
    add("--desired", type=int, default=default.desired, help="DesiredCapacity at the start")
    add("--boot-seconds", type=float, default=default.boot_seconds, help="seconds an instance is Pending")
    add("--terminate-seconds", type=float, default=default.terminate_seconds, help="seconds to shut down")
    add(
        "--heartbeat-seconds",
        type=float,
        default=default.heartbeat_seconds,
        help="how often a page notes that it is used",
    )
    add("--worker", choices=get_args(WorkerKind), default=default.worker, help="what runs on an instance")
    add("--worker-port", type=int, default=default.worker_port, help="port of the workers")
    add("--network", default=default.network, help="loopback network of the instances")
    add("--one-address", action="store_true", help="127.0.0.1 and a port each, as on macOS")
    add(
        "--protect",
        action=argparse.BooleanOptionalAction,
        default=default.protect,
        help="protect new instances from scale-in",
    )
    add("--latency", type=float, default=default.latency, help="seconds every AWS call takes longer")
    return parser


def _config(options: argparse.Namespace) -> CloudConfig:
    group, *others = options.group or [CloudConfig().group]
    return CloudConfig(
        bind=options.bind,
        region=options.region,
        group=group,
        more_groups=tuple(others),
        min_size=options.min,
        max_size=options.max,
        desired=options.desired,
        protect=options.protect,
        boot_seconds=options.boot_seconds,
        terminate_seconds=options.terminate_seconds,
        heartbeat_seconds=options.heartbeat_seconds,
        latency=options.latency,
        worker=options.worker,
        worker_port=options.worker_port,
        network=options.network,
        one_address=options.one_address,
    )


def _greeting(cloud: "SimulatedCloud") -> str:
    config = cloud.config
    if config.worker == "none":
        where = "instances without workers"
    elif cloud.one_address:
        where = f"instances on 127.0.0.1, each with a port of its own, told by its tag {PORT_TAG}"
    else:
        where = f"instances in {config.network}, {config.worker} on port {config.worker_port}"
    groups = ", ".join((config.group, *config.more_groups))
    return (
        f"Simulated cloud ready on {cloud.url} group {groups} region {config.region}"
        f" (min {config.min_size}, max {config.max_size}, desired {config.desired}), {where}"
    )


def _say(code: int, sentence: str) -> int:
    print(f"simulated cloud: {sentence}", file=sys.stderr)  # noqa: T201 - a program's own line
    return code


if __name__ == "__main__":
    sys.exit(main())
