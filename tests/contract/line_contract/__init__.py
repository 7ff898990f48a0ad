"""The promises of the Line port, and those of Registry.claim to who stands in one."""

from tests.contract.line_contract.claims import ClaimsContract
from tests.contract.line_contract.places import PlacesContract
from tests.contract.line_contract.prospects import ProspectsContract
from tests.contract.line_contract.world import Lines

__all__ = ["LineContract", "Lines"]


class LineContract(PlacesContract, ClaimsContract, ProspectsContract):
    """All of them."""
