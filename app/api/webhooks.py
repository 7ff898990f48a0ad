"""What is sent to the webhook."""

from typing import Literal

from app.api import v1
from app.api.base import Answer, Time


class AllocationTold(v1.Allocation):
    """An allocation as it was when the message was written, and what happened to it."""

    confirm_by: Time | None
    """When it is released unless it is confirmed, renewed or used; null: it need not be confirmed"""
    reason: str | None
    """Why, in a word of the [list of end reasons](/docs#list-of-end-reasons); null where it was created"""
    actor: str
    """Who did it, as in the audit trail"""
    event: int
    """The number of the event in the audit trail"""


class ExpiringTold(AllocationTold):
    """An allocation that ends soon."""

    reason: Literal["expired", "unused", "unconfirmed"]
    """What is about to end it: `expired`, its time limit, unless it is renewed; `unused`, unless it is used
    again; `unconfirmed`, unless it is confirmed, renewed or used"""
    ends_at: Time
    """When it ends unless that is done"""


class PoolTold(Answer):
    """What keeps a pool's buffer from being met, or did."""

    pool: str
    """Which pool"""
    limited_by: str
    """A word of the [list of limits](/docs#list-of-limits)"""
    detail: str | None
    """What that is, and what helps, for a person"""
    event: int
    """The number of the event in the audit trail"""


class TestTold(Answer):
    """Who wanted to see that messages arrive."""

    actor: str
    """As in the audit trail"""


class AllocationCreated(Answer):
    """A project got an instance."""

    type: Literal["allocation.created"] = "allocation.created"
    """Which message this is"""
    timestamp: Time
    """When it happened"""
    data: AllocationTold


class AllocationExpiring(Answer):
    """An allocation ends soon, unless it is renewed, used or confirmed, as its `reason` says."""

    type: Literal["allocation.expiring"] = "allocation.expiring"
    """Which message this is"""
    timestamp: Time
    """When it was found out"""
    data: ExpiringTold


class AllocationReleased(Answer):
    """An allocation ended by a decision; its instance is being terminated."""

    type: Literal["allocation.released"] = "allocation.released"
    """Which message this is"""
    timestamp: Time
    """When it happened"""
    data: AllocationTold


class AllocationLost(Answer):
    """An allocation ended because its instance did, and nobody here wanted it."""

    type: Literal["allocation.lost"] = "allocation.lost"
    """Which message this is"""
    timestamp: Time
    """When it was found out"""
    data: AllocationTold


class PoolLimited(Answer):
    """Something has kept a pool's buffer from being met for half a minute."""

    type: Literal["pool.limited"] = "pool.limited"
    """Which message this is"""
    timestamp: Time
    """When that half minute was over"""
    data: PoolTold


class PoolRecovered(Answer):
    """Nothing keeps a pool's buffer from being met any more."""

    type: Literal["pool.recovered"] = "pool.recovered"
    """Which message this is"""
    timestamp: Time
    """When a pass found nothing any more"""
    data: PoolTold


class WebhookTest(Answer):
    """Somebody wanted to see that messages arrive; nothing has happened."""

    type: Literal["webhook.test"] = "webhook.test"
    """Which message this is"""
    timestamp: Time
    """When that was wanted"""
    data: TestTold


Told = (
    AllocationCreated
    | AllocationExpiring
    | AllocationReleased
    | AllocationLost
    | PoolLimited
    | PoolRecovered
    | WebhookTest
)
"""Every message there is."""
