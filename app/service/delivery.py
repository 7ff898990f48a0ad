"""Sending what stands in the outbox, until it is taken or given up."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Thread

import structlog

from app.domain.errors import RegistryUnavailable
from app.domain.messages import plain
from app.domain.retries import LONGEST_REST, again_in
from app.ports import Answer, Message, MessageOutcome, Meter, Outbox, Sender

log = structlog.get_logger()

AT_ONCE = 4
"""How many messages are on their way at the same time."""
ROUND = 10.0
"""Seconds after which a round begins no other try: what is left comes in the next one."""
CLEAR = 60.0
"""Seconds between two looks for what is too old."""
SLICE = 1000
"""How many of those are seen to in one transaction, which keeps all others that write waiting."""


class Postman:
    """Sends messages in the order in which they were written, each until it is taken or given up.

    One that was refused waits for its next try, and those after it go on. While nobody answers, or the
    receiver asks for time, one message is tried in a round, so that it is not overrun when it is back.
    Each message is sent at least once: who sends and ends, or leads no more, before that is noted, has it
    sent again, under the same id.

    It also gives up, and forgets, what has become too old: also where there is nobody to send to.

    One thread at a time. A round is bounded in time, and can be cut off at any line without harm.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        sender: Sender | None,
        meter: Meter,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """`monotonic` returns seconds that never jump, `chance` a random number from 0 up to 1.

        No `sender`: the webhook is off.
        """
        self._outbox = outbox
        self._sender = sender
        self._meter = meter
        self._monotonic = monotonic
        self._chance = chance
        self._away = False
        self._failing = False
        self._broken = False
        self._rests_since = self._rests_until = monotonic()
        self._clears_at = monotonic()

    def round(self) -> None:
        """Send what is due. Raises RegistryUnavailable."""
        try:
            if self._sender is not None:
                self._send_due(self._sender)
        finally:
            self._clear()

    def _send_due(self, sender: Sender) -> None:
        end = self._monotonic() + ROUND
        while (now := self._monotonic()) < end:
            # Who asks for a message once more knows better than the receiver did when it asked for time.
            rest = timedelta(seconds=now - self._rests_since) if now < self._rests_until else None
            batch = self._outbox.due(1 if self._away else AT_ONCE, asked_within=rest)
            if not batch:
                return
            answers = self._send(sender, batch)
            self._away = any(answer.away for answer in answers)
            if not self._away:
                self._rests_until = now
            self._note_each(batch, answers)
            if self._away:
                return

    def _send(self, sender: Sender, batch: Sequence[Message]) -> Sequence[Answer]:
        """Send these at the same time."""
        answers: dict[int, Answer] = {}

        def send(message: Message) -> None:
            try:
                answers[message.number] = sender.send(message.id, message.body)
            except Exception as error:  # noqa: BLE001 - it counts as a try: else it would be made for ever
                answers[message.number] = _BROKEN
                self._tell(error)

        # Daemons: no end of the process waits for them.
        threads = [Thread(target=send, args=(one,), name="webhook", daemon=True) for one in batch[1:]]
        for thread in threads:
            thread.start()
        send(batch[0])
        for thread in threads:
            thread.join()
        return [answers[one.number] for one in batch]

    def _tell(self, error: Exception) -> None:
        """Tell of a bug of the sender, once."""
        if not self._broken:
            log.error("webhook.crashed", exc_info=error)
        self._broken = True

    def _note_each(self, batch: Sequence[Message], answers: Sequence[Answer]) -> None:
        """Note all that can be noted, whatever becomes of one."""
        trouble: RegistryUnavailable | None = None
        for message, answer in zip(batch, answers, strict=True):
            try:
                self._note(message, answer)
            except RegistryUnavailable as error:
                trouble = error
        if trouble is not None:
            raise trouble

    def _note(self, message: Message, answer: Answer) -> None:
        if answer.away and answer.wish is not None:
            self._rests_since = self._monotonic()
            self._rests_until = self._rests_since + min(answer.wish, LONGEST_REST).total_seconds()
        if answer.taken:
            self._outbox.delivered(message.number)
            self._meter.sent(MessageOutcome.DELIVERED)
            if self._failing:
                log.info("webhook.working")
            self._failing = self._broken = False
            return
        error = plain(answer.error or "it was not taken")
        tries = message.attempts + 1
        pause = again_in(tries, chance=self._chance(), wish=answer.wish, gone=answer.gone)
        noted = self._outbox.failed(message.number, error, attempts=message.attempts, again_in=pause)
        dead = pause is None and noted
        self._meter.sent(MessageOutcome.DEAD if dead else MessageOutcome.FAILED)
        if dead:
            log.error("webhook.gave_up", message=message.id, kind=message.kind, detail=error)
        elif not self._failing:
            log.warning("webhook.failing", message=message.id, kind=message.kind, detail=error)
        self._failing = True

    def _clear(self) -> None:
        """Give up and forget what is too old: now and then, and at each round while there is more of it."""
        if self._monotonic() < self._clears_at:
            return
        given_up = self._outbox.give_up(SLICE)
        if given_up:
            log.error("webhook.too_old", messages=given_up)
        if given_up < SLICE and self._outbox.forget(SLICE) < SLICE:
            self._clears_at = self._monotonic() + CLEAR


_BROKEN = Answer(taken=False, error="it could not be sent: see the log")
