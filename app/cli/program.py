"""The program `ec2-orchestrator` and its commands."""

import logging
import sys
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from typing import TYPE_CHECKING

import click
import structlog

from app.cli.doctor import doctor_command
from app.cli.plan import plan_command
from app.cli.wiring import Inspect, Load
from app.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.bootstrap import Inspection

NAME = "ec2-orchestrator"

_EPILOG = """\b
Examples:
  ec2-orchestrator doctor         is everything set up so that nothing is lost?
  ec2-orchestrator plan           what would the next pass do, and why?
  ec2-orchestrator plan --json    the same, for a program

Settings come from the environment and .env, as the service reads them: docs/reference/settings.md.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
"""


def program(load: Load, inspect: Inspect) -> click.Group:
    """Make the program, of which `load` reads the settings and `inspect` wires what looks at the world."""

    @click.group(
        name=NAME,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        epilog=_EPILOG,
    )
    @click.version_option(_version(), "-V", "--version", prog_name=NAME, message="%(prog)s %(version)s")
    def root() -> None:
        """Look after the EC2 Orchestrator: a warm buffer of idle instances, each handed to one project."""

    root.add_command(doctor_command(load, inspect))
    root.add_command(plan_command(load, inspect))
    return root


def main() -> None:
    """Run the program with the arguments of this process, and end it."""
    if isinstance(sys.stdout, TextIOWrapper):
        # AWS's words may not fit the locale: better a question mark than no answer.
        sys.stdout.reconfigure(errors="replace")
    # Logs go to standard output by default, which is for answers here.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    program(load_settings, _inspect)(prog_name=NAME)


def _inspect(settings: Settings) -> "Inspection":
    from app import bootstrap  # noqa: PLC0415 - boto3 and SQLAlchemy take a second, which --help need not wait

    return bootstrap.inspect(settings)


def _version() -> str:
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "(not installed)"
