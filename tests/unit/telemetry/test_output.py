"""Where log lines go: whole, and without harm to those who write them."""

import io
from collections.abc import Callable
from threading import Thread

import pytest

from app.telemetry.output import Output


class Broken(io.StringIO):
    """A stream that takes nothing any more."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        raise self._error


class Reentered(io.StringIO):
    """A stream in whose writing a signal arrives, whose handler logs."""

    def __init__(self) -> None:
        super().__init__()
        self.at_signal: Callable[[], None] | None = None

    def write(self, text: str) -> int:
        handler, self.at_signal = self.at_signal, None
        if handler is not None:
            handler()
        return super().write(text)


def test_a_line_is_written_at_once() -> None:
    stream = io.StringIO()
    Output(stream).info("a line")

    assert stream.getvalue() == "a line\n"


def test_lines_of_several_threads_stay_whole() -> None:
    stream = io.StringIO()
    output = Output(stream)
    threads = [
        Thread(target=lambda sign=sign: [output.info(sign * 50) for _ in range(50)]) for sign in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(stream.getvalue().splitlines()) == sorted(sign * 50 for sign in "abcd" for _ in range(50))


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("closed")]
)
def test_nobody_is_harmed_where_it_cannot_be_written(error: Exception) -> None:
    Output(Broken(error)).info("a line")


def test_a_signal_may_log_while_its_own_thread_does() -> None:
    stream = Reentered()
    output = Output(stream)
    stream.at_signal = lambda: output.info("from the handler")

    output.info("a line")

    assert stream.getvalue().splitlines() == ["from the handler", "a line"]


@pytest.mark.parametrize(("text", "seen"), [("für", "f\\xfcr"), ("\udcff", "\\udcff")])
def test_a_sign_that_the_stream_cannot_take_costs_nobody_the_line(text: str, seen: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(stream).info(text)

    assert raw.getvalue().decode() == f"{seen}\n"
