"""Leadership: of all replicas that share a registry, one runs passes, and nobody notices when it dies."""

from collections.abc import Callable
from datetime import timedelta
from math import inf

import structlog

from app.domain.errors import NotLeading, RegistryUnavailable
from app.ports import Lease, Leases, Mandate

log = structlog.get_logger()

TTL = timedelta(seconds=12)
"""How long a term lasts when it is not renewed: so long nobody leads after a kill -9, and a moment more."""

# In seconds.
RENEW = 2.0
"""How often a leader renews its term."""
MARGIN = 2.0
"""How much sooner than its term a leader's trust in itself ends: no two clocks run at the same speed."""
CHANGE = 7.0
"""How long a change to AWS may take, from its beginning to its last effect: see Connection's time limits."""
ASIDE = 5.0
"""How long, once its term has run out, a leader that stepped aside lets others go first."""


class Leadership:
    """One replica's part in the election, and what it may believe of itself.

    **The row.** All replicas share one row of the registry: a term's number, its holder, and when it expires.
    Who finds no term running begins the next one, in one transaction: the number grows by one, and the audit
    trail tells of it. The leader renews its term every two seconds for another twelve; a candidate looks
    twice a second. Renewing and resigning name the term and its holder: what comes late from an old term
    changes nothing. Every time in the row is the database's own, so that no replica's clock matters. Only the
    database's may jump; what that could do is caught below, by asking the row itself.

    **Trust.** A leader knows of its term by answers, and an answer may be old when it arrives. So it trusts
    itself until the moment at which it *asked* (by a clock that never jumps), plus the ttl, less a margin; an
    answer that comes later than that makes it leader for no moment at all. While it hears nothing, its trust
    runs out before its term does, and it stops by itself. It needs nobody to tell it.

    **Changes.** A pass asks before each step whether it is still trusted. Before each change to AWS it asks
    more (`confirm`): the row must still name this term, which also finds out a database whose clock jumped,
    and a process that stood still for longer than any clock of its own shows; and trust must outlast the
    change, because AWS has no notion of terms and will not refuse a late one. A change takes seven seconds at
    most (two to connect, five to answer), and a leader in touch with its database has some eight left: out of
    touch, it begins no change after about three more.

    **Terms.** What a leader learns in a term (who was probed, what it wrote to AWS and when) is of no use in
    a later one, when others have acted in between. Each term begins with nothing but the registry and the
    first look at AWS, and what a thread of an older term still does fails at its own mandate. Without a
    leader nothing but the passes stands still: claims, releases and status need none.

    **The end.** A clean end finishes the pass in hand and resigns: the row is free at once. After a kill -9
    it is free when the term expires, twelve seconds after it was renewed last. On SQLite as well: that the
    process is gone proves nothing about the change that it had sent. What a leader had begun needs no
    hand-over: a pass starts from what is, and repeats what is still to do. A leader whose passes hang or fail
    for long, while others might fare better, lets its term run out.

    **What is left.** Between the last question and AWS stand a name to look up, one or several addresses to
    try, and the network: what takes longer there than a change is given, and a process (or the database's
    clock) that is stopped or jumps at just this point, lets a change arrive in another's term. It meets the
    same guards as any foreign write: desired capacity is read right before it is written, and instances are
    ended by their id.
    """

    def __init__(self, leases: Leases, *, replica: str, monotonic: Callable[[], float]) -> None:
        """`replica` names this process and no other; `monotonic` returns seconds that never jump."""
        self.replica = replica
        self._leases = leases
        self._monotonic = monotonic
        self._term: _Term | None = None
        self._renewed_at = 0.0
        self._stands_from = -inf
        self._unheard = False
        self._ended = False

    @property
    def mandate(self) -> Mandate | None:
        """The right to lead, as long as this replica can trust that it has it; the same object for a term."""
        term = self._term
        return term if term is not None and term.trusted else None

    def keep(self) -> None:
        """Stay the leader, or try to become it: to be called twice a second, by one thread at a time.

        Where the database does not answer, nothing is concluded: trust runs out by itself.
        """
        if self._ended:
            return
        term, asked_at = self._term, self._monotonic()
        try:
            if term is None:
                self._stand(asked_at)
            elif asked_at - self._renewed_at >= RENEW:
                self._renew(term, asked_at)
        except RegistryUnavailable as error:
            if term is not None and term.note_doubt():
                log.warning("leadership.suspended", term=term.lease.term, detail=error.detail)
            if term is None and not self._unheard:
                log.warning("leadership.unheard", detail=error.detail)
            self._unheard = term is None
        else:
            self._unheard = False

    def resign(self) -> None:
        """End the term of this replica, if there is one, and never begin another."""
        self._ended = True
        term = self._let_go()
        if term is None:
            return
        try:
            self._leases.resign(term.lease)
        except RegistryUnavailable as error:
            log.warning("leadership.lost", term=term.lease.term, detail=error.detail)  # it expires by itself
        else:
            log.info("leadership.resigned", term=term.lease.term)

    def step_aside(self) -> None:
        """Let the term of this replica run out, and others go first then; stand again later.

        It is not ended at once: a change may be under way.
        """
        self._stands_from = self._monotonic() + TTL.total_seconds() + ASIDE
        self._let_go()

    def _let_go(self) -> "_Term | None":
        """Never trust the term again; return it."""
        term, self._term = self._term, None
        if term is not None:
            term.end()
        return term

    def _stand(self, asked_at: float) -> None:
        if asked_at < self._stands_from:
            return
        lease = self._leases.take(self.replica, TTL)
        if lease is None:
            return
        self._renewed_at = asked_at
        self._term = _Term(lease, self._leases, self._monotonic, trusted_until=_trust(asked_at))
        log.info("leadership.taken", term=lease.term, replica=self.replica)
        if self._ended:  # while we asked
            self.resign()

    def _renew(self, term: "_Term", asked_at: float) -> None:
        if self._leases.renew(term.lease, TTL):
            self._renewed_at = asked_at
            if term.trust(_trust(asked_at)):
                log.info("leadership.resumed", term=term.lease.term)
        elif self._term is term:  # or it was ended here while we asked
            self._term = None
            term.end()
            log.warning("leadership.lost", term=term.lease.term, detail="another term has begun")


class _Term:
    """One term of this replica: the Mandate port."""

    def __init__(
        self, lease: Lease, leases: Leases, monotonic: Callable[[], float], *, trusted_until: float
    ) -> None:
        self.lease = lease
        self._leases = leases
        self._monotonic = monotonic
        self._trusted_until = trusted_until
        self._over = False
        self._doubted = False

    @property
    def trusted(self) -> bool:
        """See Mandate.trusted."""
        return not self._over and self._monotonic() < self._trusted_until

    def confirm(self) -> None:
        """See Mandate.confirm."""
        if self.trusted and not self._leases.holds(self.lease):
            self._trusted_until = -inf  # until it is renewed, if nobody has followed
        # Last, because asking took its time.
        if not self.trusted or self._monotonic() + CHANGE > self._trusted_until:
            raise NotLeading(f"Term {self.lease.term} is over, or may be over soon: nothing more is changed.")

    def trust(self, until: float) -> bool:
        """Believe in the term until then; true where it was doubted before."""
        self._trusted_until = until
        doubted, self._doubted = self._doubted, False
        return doubted

    def note_doubt(self) -> bool:
        """Return true where the term is trusted no more, and this was not known before."""
        news = not self.trusted and not self._doubted
        self._doubted |= news
        return news

    def end(self) -> None:
        """Never trust it again."""
        self._over = True


def _trust(asked_at: float) -> float:
    return asked_at + TTL.total_seconds() - MARGIN
