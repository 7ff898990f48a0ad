"""What the replicas have logged: whatever should not be there, and how often the rest."""

import json
import re
from collections import Counter
from datetime import datetime
from typing import Any

from app.domain.errors import RegistryUnusable
from tests.e2e.processes import Program
from tests.e2e.replicas.fleet import Fleet
from tests.e2e.soak.facts import LogLine, now

GRAVE = frozenset({"warning", "error", "critical"})
REFUSAL = f"{RegistryUnusable.title()}."
NO_DATABASE = "cannot be opened for writing"
"""What a process says on standard error that starts while the database is away; then it ends."""
NUMBER = re.compile(r"\d+")


class Logs:
    """Every line of every run of every replica, judged once."""

    def __init__(self, fleet: Fleet) -> None:
        self.faults: list[LogLine] = []
        self.said: Counter[str] = Counter()
        for replica in fleet.replicas:
            for run in replica.runs:
                self._read(run)
        self.said = +self.said  # what was said at all

    def _read(self, run: Program) -> None:
        lines = list(run.output)
        for number, line in enumerate(lines, 1):
            try:
                self._judge(json.loads(line))
            except json.JSONDecodeError:
                if number < len(lines):  # the last words of one that was killed
                    self.faults.append(LogLine(at=now(), event="no-json", text=line))
        refused = [line for line in run.errors if line == REFUSAL or NO_DATABASE in line]
        self.said["refused to start without the database"] += refused.count(REFUSAL)
        if len(refused) < len(run.errors):
            self.faults.append(LogLine(at=now(), event="stderr", text="\n".join(run.errors)))

    def _judge(self, line: dict[str, Any]) -> None:
        event, level = str(line.get("event")), line.get("level")
        if level in GRAVE or event.startswith("leadership."):
            code = f" {line['code']}" if "code" in line else ""
            self.said[f"{NUMBER.sub('N', event)[:60]}{code}"] += 1
        if event.endswith(".crashed") or "exception" in line or level == "critical":
            at = datetime.fromisoformat(line["timestamp"]).timestamp()
            self.faults.append(LogLine(at=at, event=event, text=str(line.get("exception", line))))
