"""Where somebody types commands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from click.testing import CliRunner, Result

from app.cli.program import program
from app.cli.wiring import Surroundings

NOW = datetime(2026, 11, 22, 20, 15, tzinfo=UTC)


def _nothing(*_: Any) -> Any:
    raise AssertionError("what talks to a service needs neither settings nor AWS")


@dataclass
class Shell:
    """A shell whose environment names a service."""

    url: str
    interactive: bool = False
    pauses: list[Callable[[], None]] = field(default_factory=list)
    """What happens in each pause; after the last somebody presses Ctrl-C."""

    def run(self, *arguments: str, typed: str = "", **environment: str) -> Result:
        env: Mapping[str, str | None] = {
            "ORCHESTRATOR_URL": self.url,
            "ORCHESTRATOR_TOKEN": None,
            **environment,
        }
        surroundings = Surroundings(lambda: NOW, self._pause, lambda: self.interactive)
        commands = program(_nothing, _nothing, surroundings)
        return CliRunner(env=env).invoke(commands, list(arguments), input=typed)

    def _pause(self, _: float) -> None:
        if not self.pauses:
            raise KeyboardInterrupt
        self.pauses.pop(0)()
