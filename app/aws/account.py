"""The AWS account in one region, as all pools there share it: who we are, and how much we may ask."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from boto3.session import Session

from app.aws import models
from app.aws.budget import PER_SECOND, Budget, shares


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """Access keys from the settings; the secret parts never show in a repr."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class Account:
    """One boto3 session for all pools of a region, and the budgets that they share.

    A session has some megabytes of AWS's API models, which a second one would load once more. It is made at
    first use, and anew after AWS refused our credentials, so that rotated ones are found without a restart.
    """

    def __init__(
        self,
        *,
        region: str,
        keys: StaticKeys | None = None,
        pools: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the number of pools in the region; `clock` returns seconds that never jump."""
        self.region = region
        self._keys = keys
        self._lock = Lock()
        self._session: Session | None = None
        self._shares = {
            service: iter(shares(clock, per_second=rate, among=pools)) for service, rate in PER_SECOND.items()
        }

    def share(self) -> Mapping[str, Budget]:
        """Return one pool's budgets, by service. As often as there are pools."""
        return {service: next(left) for service, left in self._shares.items()}

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend the session to make clients with: to one thread at a time, as boto3 wants it."""
        with self._lock:
            self._session = self._session or self._new_session()
            yield self._session

    def forget(self, session: Session | None) -> None:
        """Have a new session made at the next use; harmless where there is a newer one already."""
        with self._lock:
            if self._session is session:
                self._session = None

    def _new_session(self) -> Session:
        if self._keys is None:
            return Session(region_name=self.region, botocore_session=models.session())
        return Session(
            aws_access_key_id=self._keys.access_key_id,
            aws_secret_access_key=self._keys.secret_access_key,
            aws_session_token=self._keys.session_token,
            region_name=self.region,
            botocore_session=models.session(),
        )
