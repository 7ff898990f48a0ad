"""What every Cloud promises in app/ports.py, one test a promise; test_cloud.py runs it on each of them."""

from tests.contract.cloud_contract.changes import ChangesContract
from tests.contract.cloud_contract.looks import LooksContract
from tests.contract.cloud_contract.records import RecordsContract
from tests.contract.cloud_contract.world import Create, World

__all__ = ["CloudContract", "Create", "World"]


class CloudContract(LooksContract, ChangesContract, RecordsContract):
    """The promises of the Cloud port."""
