"""What every registry promises: see app/ports/registry.py. Run on each database in test_registry.py."""

from tests.contract.registry_contract.claims import ClaimsContract
from tests.contract.registry_contract.endings import EndingsContract
from tests.contract.registry_contract.holds import HoldsContract
from tests.contract.registry_contract.limits import LimitsContract
from tests.contract.registry_contract.lives import LivesContract
from tests.contract.registry_contract.reads import ReadsContract
from tests.contract.registry_contract.sights import SightsContract
from tests.contract.registry_contract.world import (
    ALICE,
    BOB,
    SECOND,
    booting,
    claim,
    end,
    history,
    idle,
    known,
    race,
)

__all__ = [
    "ALICE",
    "BOB",
    "SECOND",
    "RegistryContract",
    "booting",
    "claim",
    "end",
    "history",
    "idle",
    "known",
    "race",
]


class RegistryContract(
    ClaimsContract,
    EndingsContract,
    HoldsContract,
    LimitsContract,
    LivesContract,
    ReadsContract,
    SightsContract,
):
    """The promises of the Registry port."""
