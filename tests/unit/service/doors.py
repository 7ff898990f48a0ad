"""A gate with all that is around it, as the tests of this folder use it."""

from datetime import timedelta

from app.domain.access import Role
from app.service.access import Gate
from app.service.attempts import Attempts
from app.service.standing import Standing, Uses
from app.service.tokens import TokenDesk
from tests.fake_clock import FakeClock, Stopwatch
from tests.fakes import FakeTokens

ADMIN_TOKEN = "an-admin-token-of-the-settings"
HERE, THERE = "192.0.2.1", "192.0.2.2"
UNKNOWN = f"eco_0000ffff_{'x' * 43}"


class Door:
    """A gate with all that is around it."""

    def __init__(
        self,
        *,
        open_while_unused: bool = False,
        always_open: bool = False,
        local: bool = False,
        admin: bool = False,
    ) -> None:
        self.tokens = FakeTokens()
        self.clock = FakeClock()
        self.watch = Stopwatch()
        self._drawn = 0
        self.desk = TokenDesk(tokens=self.tokens, clock=self.clock, chance=self._chance)
        self.uses = Uses(self.tokens, gathering=0)
        self.gate = Gate(
            standing=Standing(self.tokens, monotonic=self.watch),
            uses=self.uses,
            attempts=Attempts(monotonic=self.watch),
            clock=self.clock,
            admin_token=ADMIN_TOKEN if admin else None,
            open_while_unused=open_while_unused,
            always_open=always_open,
            local=local,
        )

    def token(self, name: str = "ci", role: Role = Role.ALLOCATOR, ttl: timedelta | None = None) -> str:
        _, secret = self.desk.create(name, role, ttl=ttl, actor="cli:ann")
        return secret

    def enter(self, token: str, address: str = HERE) -> str:
        """Return as whom the holder of a token is let in."""
        return self.gate.admit(f"Bearer {token}", address).actor

    def _chance(self, size: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(size, "big")
