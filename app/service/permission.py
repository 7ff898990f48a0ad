"""Whether a change to AWS may be sent: asked right before each."""

from app.domain.errors import Paused
from app.domain.model import PoolName
from app.ports import ControlPanel, Mandate


class Permission:
    """The right to change one pool at AWS, in one term."""

    def __init__(self, mandate: Mandate, controls: ControlPanel, pool: PoolName) -> None:
        self._mandate = mandate
        self._controls = controls
        self._pool = pool

    def confirm(self) -> None:
        """Return where a change may begin now.

        Raises Paused where an operator has paused the pool by now, whatever the pass in hand had planned;
        otherwise what Mandate.confirm raises, which is asked last: its answer is good for a moment only.
        """
        if self._mandate.trusted and self._controls.controls(self._pool).paused:
            raise Paused(f"Pool '{self._pool}' was paused: the change was not sent.")
        self._mandate.confirm()
