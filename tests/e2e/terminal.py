"""A program at a terminal of its own, as a person sees it."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from threading import Thread
from typing import Self

from tests.e2e.processes import DEADLINE, ROOT, environment
from tests.waiting import until

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Leave the size to the terminal: where tests run in several processes, these variables tell another."""
    found = environment({"TERM": "xterm-256color", **settings})
    return {name: value for name, value in found.items() if name not in {"COLUMNS", "LINES"}}


class Terminal:
    """Runs one program at a terminal of so many columns and lines."""

    def __init__(
        self, *command: str, settings: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self._screen, program_side = pty.openpty()
        fcntl.ioctl(program_side, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=_environment(settings),
            stdin=program_side,
            stdout=program_side,
            stderr=program_side,
            start_new_session=True,
        )
        os.close(program_side)
        self._got = bytearray()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(DEADLINE)
        os.close(self._screen)

    @property
    def raw(self) -> str:
        """All that it wrote, colours included."""
        return self._got.decode(errors="replace").replace("\r\n", "\n")

    @property
    def text(self) -> str:
        """All that it wrote, as one reads it."""
        return _CONTROL.sub("", self.raw)

    def shows(self, text: str) -> None:
        """Wait until it has written this."""
        until(lambda: text in self.text, within=DEADLINE, what=f"{text!r} in {self.text[-2000:]!r}")

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def ctrl_c(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def exit_code(self) -> int:
        code = self._process.wait(timeout=DEADLINE)
        self._reader.join(DEADLINE)
        return code

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._screen, 65536)
            except OSError:  # the program has ended
                return
            if not part:
                return
            self._got += part
