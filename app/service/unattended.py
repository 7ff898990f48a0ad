"""Work that is done again and again, and that nobody waits for."""

from collections.abc import Callable

from app.domain.errors import RegistryUnavailable


class Unattended:
    """Does a piece of such work: whatever goes wrong is told to the log at most, and the next time comes.

    A bug is told once, and again only after it has worked in between: else it would be in each line of the
    log. That the database is away is not told here: whoever needs it tells. Call it from one thread at a
    time.
    """

    def __init__(self, work: Callable[[], object], tell: Callable[[Exception], object]) -> None:
        """Take the work, and what writes a bug into the log."""
        self._work = work
        self._tell = tell
        self._failing = False

    def __call__(self) -> None:
        """Do it once."""
        try:
            self._work()
        except RegistryUnavailable:
            pass
        except Exception as error:  # noqa: BLE001 - `tell` logs it
            if not self._failing:
                self._tell(error)
            self._failing = True
        else:
            self._failing = False
