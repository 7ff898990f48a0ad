"""Where log lines go: one stream, a whole line at a time, and no harm to anybody where that fails."""

from contextlib import suppress
from threading import RLock
from typing import TextIO


class Output:
    """Writes lines, from any number of threads: what structlog calls a logger.

    Never raises: neither a request nor a pass fails because nobody reads its log any more.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._writing = RLock()  # a signal's handler may log where its thread just does

    def line(self, text: str) -> None:
        """Write it at once."""
        # It may be full, closed, or just being written to where a signal's handler came in between.
        with self._writing, suppress(OSError, ValueError, RuntimeError):
            try:
                self._stream.write(text + "\n")
            except UnicodeEncodeError:  # not in the locale's characters, or in nobody's
                self._stream.write(text.encode("ascii", "backslashreplace").decode() + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = line
