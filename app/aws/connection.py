"""The way to AWS: one boto3 session with two kinds of clients, one for reading and one for changing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event, Lock
from time import monotonic
from typing import TYPE_CHECKING

from boto3.session import Session
from botocore.config import Config

from app.aws.account import Account
from app.aws.budget import LEISURE, RESERVE, Budget
from app.aws.errors import translated
from app.aws.memory import cut_answer
from app.domain.errors import (
    BadCredentials,
    BudgetSpent,
    CloudError,
    OrchestratorError,
    Paused,
    Throttled,
)

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client


AGENT = "ec2-orchestrator"
"""What stands in the User-Agent of each call."""

PATIENCE = 1.0
"""Seconds after which a call that waits for our own budget looks again: there may be room sooner."""

OK = "ok"
"""What is told of a call that succeeded; of another one it is the code of its error."""

Watch = Callable[[str, str, float], object]
"""Is told of each call that was made: its action, what came of it, and how many seconds it took."""

_CONFIRM: ContextVar[Callable[[], None]] = ContextVar("confirm")
"""Who is asked before the change at hand is sent: clients are shared by all threads."""


@dataclass(frozen=True, slots=True)
class Clients:
    """What one AWS call is made with."""

    autoscaling: "AutoScalingClient"
    ec2: "EC2Client"


class Connection:
    """Hands out boto3 clients, within a budget, and turns everything they raise into a CloudError.

    Each pool has one, so that none waits for another's calls. Clients are made at first use, because neither
    they nor their sockets survive a fork, and are then shared by all threads of the pool. An attempt to read
    is given `read_timeout` seconds, a change half of it, because a leader must know when its change is over;
    connecting is given two.

    Reads are tried three times in all, with botocore's standard backoff. Changes are tried once: a second
    attempt after a lost answer would hide that the first one was carried out.

    Each service has one budget for all that is done over this connection, a share of the account's: where it
    is used up, a call raises BudgetSpent and is not made; a `patient` one waits until it leaves what passes
    may need. Where AWS itself throttles a call, the budget of that service begins anew from nothing. `agent`
    stands in the User-Agent of each call, and so in CloudTrail.

    `watch` is told of each call, with all its pages and attempts. What AWS may refuse as a matter of course
    is told as "ok": the caller says what that is (`expecting`), and gets the error all the same.
    """

    def __init__(
        self,
        account: Account,
        *,
        endpoint_url: str | None = None,
        read_timeout: float = 10.0,
        agent: str = AGENT,
        sleep: Callable[[float], object] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.region = account.region
        self._account = account
        self._endpoint_url = endpoint_url
        self._read_timeout = read_timeout
        self._agent = agent
        self._sleep = sleep or Event().wait
        self._watch = watch
        self._lock = Lock()
        self._session: Session | None = None
        self._clients: dict[int, Clients] = {}
        self._budgets = account.share()

    def reading(
        self,
        action: str,
        *,
        leaving: float = 0.0,
        patient: bool = False,
        expecting: tuple[type[CloudError], ...] = (),
    ) -> AbstractContextManager[Clients]:
        """Lend the clients for a call that changes nothing.

        `action` is AWS's own name, "ec2:DescribeInstances": for the operator, and for the budget, of which
        `leaving` tells what must be left (see Budget.let_in).
        """
        return self._calling(
            action, attempts=3, change=False, leaving=leaving, patient=patient, expecting=expecting
        )

    @contextmanager
    def changing(
        self,
        action: str,
        *,
        confirm: Callable[[], None],
        leaving: float = RESERVE,
        patient: bool = False,
        expecting: tuple[type[CloudError], ...] = (),
    ) -> Iterator[Clients]:
        """Lend the clients for a call that changes something: it is attempted once.

        `confirm` is called right before it is sent, and returns where it may be; what it raises comes out of
        the block, and nothing was sent.
        """
        before = _CONFIRM.set(confirm)
        try:
            with self._calling(
                action, attempts=1, change=True, leaving=leaving, patient=patient, expecting=expecting
            ) as clients:
                yield clients
        finally:
            _CONFIRM.reset(before)

    @contextmanager
    def _calling(
        self,
        action: str,
        *,
        attempts: int,
        change: bool,
        leaving: float,
        patient: bool,
        expecting: tuple[type[CloudError], ...],
    ) -> Iterator[Clients]:
        budget = self._budgets[action.partition(":")[0]]
        self._let_in(budget, action, leaving=leaving, patient=patient)
        try:
            with self._watched(action, expecting), translated(action, change=change):
                yield self._lend(attempts)
        except Throttled:
            budget.drain()
            raise
        except BadCredentials:
            with self._lock:
                self._account.forget(self._session)
                self._clients = {}
            raise

    @contextmanager
    def _watched(self, action: str, expecting: tuple[type[CloudError], ...]) -> Iterator[None]:
        if self._watch is None:
            yield
            return
        begun = monotonic()
        try:
            yield
        except OrchestratorError as error:
            outcome = OK if isinstance(error, expecting) else error.code
            if isinstance(error, CloudError) and not isinstance(error, Paused):  # else nothing was sent
                self._watch(action, outcome, monotonic() - begun)
            raise
        self._watch(action, OK, monotonic() - begun)

    def _let_in(self, budget: Budget, action: str, *, leaving: float, patient: bool) -> None:
        while True:
            try:
                return budget.let_in(action, leaving=LEISURE if patient else leaving)
            except BudgetSpent as spent:
                if not patient:
                    raise
                self._sleep(min(spent.wait, PATIENCE))

    def _lend(self, attempts: int) -> Clients:
        with self._lock:
            with self._account.session() as session:
                if session is not self._session:
                    self._session, self._clients = session, {}
                clients = self._clients.get(attempts)
                if clients is None:
                    clients = self._clients[attempts] = self._new_clients(session, attempts)
            return clients

    def _new_clients(self, session: Session, attempts: int) -> Clients:
        config = Config(
            connect_timeout=2,
            read_timeout=self._read_timeout if attempts > 1 else self._read_timeout / 2,
            retries={"mode": "standard", "total_max_attempts": attempts},
            tcp_keepalive=True,
            user_agent_extra=self._agent,
        )
        clients = Clients(
            autoscaling=session.client("autoscaling", config=config, endpoint_url=self._endpoint_url),
            ec2=session.client("ec2", config=config, endpoint_url=self._endpoint_url),
        )
        # botocore tells of each request just before it is sent: of every page, and of every attempt.
        clients.autoscaling.meta.events.register("before-send", _charging(self._budgets["autoscaling"]))
        clients.ec2.meta.events.register("before-send", _charging(self._budgets["ec2"]))
        clients.autoscaling.meta.events.register("before-parse", cut_answer)
        clients.ec2.meta.events.register("before-parse", cut_answer)
        if attempts == 1:
            # After credentials were fetched and the request was signed, both of which may take their time.
            clients.autoscaling.meta.events.register_last("before-send", _confirming)
            clients.ec2.meta.events.register_last("before-send", _confirming)
        return clients


def _charging(budget: Budget) -> Callable[..., None]:
    def charge(**_: object) -> None:  # an answer would be taken for AWS's
        budget.charge()

    return charge


def _confirming(**_: object) -> None:
    _CONFIRM.get()()
