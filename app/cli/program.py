"""The program `ec2-orchestrator` and its commands."""

import sys
from importlib import import_module
from io import TextIOWrapper
from types import ModuleType
from typing import TYPE_CHECKING

import click

from app.cli import reach
from app.cli.sections import Entry, Program
from app.cli.wiring import Desk, Inspect, Load, Surroundings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from app.bootstrap import Inspection, OpenDesk
    from app.settings import Settings

NAME = "ec2-orchestrator"

_EPILOG = """\b
Examples:
  ec2-orchestrator status                  how is the pool, and why?
  ec2-orchestrator allocate my-project     take an instance, print its URL
  ec2-orchestrator release my-project      end it when the project is done
  ec2-orchestrator doctor                  is everything set up right?

\b
Environment:
  ORCHESTRATOR_URL    where the service is; http://localhost:9092 when not set
  ORCHESTRATOR_TOKEN  who you are; `ec2-orchestrator token create` makes one

token, doctor and plan run beside the service instead: they read its settings from the environment and .env,
its database, and AWS.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage. 'ec2-orchestrator COMMAND --help' tells more.
"""


def program(
    load: Load,
    inspect: Inspect,
    surroundings: Surroundings | None = None,
    open_desk: Desk | None = None,
) -> click.Group:
    """Make the program, of which `load` reads the settings and `inspect` wires what looks at the world.

    `open_desk` opens the database for the commands about tokens.
    """

    @click.group(
        name=NAME,
        cls=Program,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
            "obj": surroundings or Surroundings(),
        },
        epilog=_EPILOG,
    )
    @click.option(
        "-V",
        "--version",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_tell_version,
        help="Show the version and exit.",
    )
    @reach.program_options
    def root(**_: str | None) -> None:
        """Look after a warm buffer of idle EC2 instances, each handed to exactly one project."""

    assert isinstance(root, Program)  # noqa: S101 - for the type checker: `cls` says so
    root.sections = _sections(load, inspect, open_desk or _open_desk)
    return root


def _sections(load: Load, inspect: Inspect, open_desk: Desk) -> dict[str, tuple[Entry, ...]]:
    return {
        "Daily use": (
            _entry("status", "Show the pools, their instances, and what to mend.", "status"),
            _entry("watch", "Show the same live, until Ctrl-C.", "watch"),
            _entry("allocate", "Take an instance for a project, and print its URL.", "allocate"),
            _entry("confirm", "Say that a project's instance has arrived.", "allocations"),
            _entry("renew", "Move the time limit of a project's allocation.", "allocations"),
            _entry("release", "End a project's allocation, and its instance with it.", "allocations"),
            _entry("allocations", "List which project holds which instance.", "allocations"),
        ),
        "Operate": (
            _entry("pools", "List the pools.", "pools"),
            _entry("buffer", "Show or set how many idle instances are kept ready.", "pools"),
            _entry("pause", "Change nothing at AWS until resumed.", "pools"),
            _entry("resume", "Go on after a pause.", "pools"),
            _entry("instances", "List instances, or show one.", "instances"),
            _entry("hold", "Keep an instance for inspection.", "instances"),
            _entry("unhold", "Let go of an instance that was held.", "instances"),
            _entry("destroy", "Terminate an instance.", "instances"),
            _entry("events", "Show who did what, and why.", "events"),
            _entry("webhooks", "Show what was told to the webhook, or tell it again.", "webhooks"),
        ),
        "Access": (
            Entry(
                "token",
                "Make, list and revoke tokens.",
                lambda: _module("token").token_commands(load, open_desk),
            ),
        ),
        "Diagnose": (
            Entry(
                "doctor",
                "Check that everything is set up so that nothing is lost.",
                lambda: _module("doctor").doctor_command(load, inspect),
            ),
            Entry(
                "plan",
                "Show what the next pass would do, and why; changes nothing.",
                lambda: _module("plan").plan_command(load, inspect),
            ),
        ),
        "This program": (_entry("completion", "Print the completion script of a shell.", "completion"),),
    }


def _entry(name: str, summary: str, module: str) -> Entry:
    """List a command that is a variable of its name in a module of this package."""
    return Entry(name, summary, lambda: getattr(_module(module), name))


def _module(name: str) -> ModuleType:
    return import_module(f"app.cli.{name}")


def main() -> None:
    """Run the program with the arguments of this process, and end it."""
    if isinstance(sys.stdout, TextIOWrapper):
        # AWS's words may not fit the locale: better a question mark than no answer.
        sys.stdout.reconfigure(errors="replace")
    program(_load, _inspect)(prog_name=NAME)


def _load() -> "Settings":
    """Read the settings, for a command that runs beside the service."""
    import logging  # noqa: PLC0415 - a third of a second, which --help need not wait

    import structlog  # noqa: PLC0415

    from app.settings import load_settings  # noqa: PLC0415

    # Logs go to standard output by default, which is for answers here.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    return load_settings()


def _inspect(settings: "Settings") -> "Inspection":
    from app import bootstrap  # noqa: PLC0415 - boto3 and SQLAlchemy take a second

    return bootstrap.inspect(settings)


def _open_desk(
    settings: "Settings", *, changes: bool, makes: bool = False
) -> "AbstractContextManager[OpenDesk]":
    from app import bootstrap  # noqa: PLC0415 - as above

    return bootstrap.token_desk(settings, changes=changes, makes=makes)


def _tell_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - asked for seldom

    try:
        click.echo(f"{NAME} {version(NAME)}")
    except PackageNotFoundError:
        click.echo(f"{NAME} (not installed)")
    context.exit()
