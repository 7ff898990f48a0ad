"""Sending what stands in the outbox, until it is taken or given up."""

from collections.abc import Callable, Sequence
from threading import Thread

import structlog

from app.domain.retries import LONGEST_WISH, again_in
from app.ports import Answer, Message, MessageOutcome, Meter, Outbox, Sender

log = structlog.get_logger()

AT_ONCE = 4
"""How many messages are on their way at the same time."""
ROUND = 10.0
"""Seconds after which a round begins no other try: what is left comes in the next one."""
FORGET = 600.0
"""Seconds between two looks for what is old enough to be forgotten."""


class Postman:
    """Sends messages in the order in which they were written, each until it is taken or given up.

    One that was refused waits for its next try, and those after it go on. While nobody answers, or the
    receiver asks for time, one message is tried in a round, so that it is not overrun when it is back.
    Each message is sent at least once: who sends and ends, or leads no more, before that is noted, has it
    sent again, under the same id.

    One thread at a time. A round is bounded in time, and can be cut off at any line without harm.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        sender: Sender,
        meter: Meter,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """`monotonic` returns seconds that never jump, `chance` a random number from 0 up to 1."""
        self._outbox = outbox
        self._sender = sender
        self._meter = meter
        self._monotonic = monotonic
        self._chance = chance
        self._away = False
        self._failing = False
        self._rests_until = monotonic()
        self._forgets_at = monotonic()

    def round(self) -> None:
        """Send what is due. Raises RegistryUnavailable."""
        self._forget()
        end = self._monotonic() + ROUND
        while self._rests_until <= self._monotonic() < end:
            batch = self._outbox.due(1 if self._away else AT_ONCE)
            if not batch:
                return
            answers = self._send(batch)
            self._away = any(answer.away for answer in answers)
            for message, answer in zip(batch, answers, strict=True):
                self._note(message, answer)
            if self._away:
                return

    def _send(self, batch: Sequence[Message]) -> Sequence[Answer]:
        """Send these at the same time."""
        answers: dict[int, Answer] = {}

        def send(message: Message) -> None:
            answers[message.number] = self._sender.send(message.id, message.body)

        # Daemons: no end of the process waits for them.
        threads = [Thread(target=send, args=(one,), name="webhook", daemon=True) for one in batch[1:]]
        for thread in threads:
            thread.start()
        send(batch[0])
        for thread in threads:
            thread.join()
        return [answers.get(one.number, _BROKEN) for one in batch]

    def _note(self, message: Message, answer: Answer) -> None:
        if answer.taken:
            self._outbox.delivered(message.number)
            self._meter.sent(MessageOutcome.DELIVERED)
            if self._failing:
                log.info("webhook.working")
            self._failing = False
            return
        error = answer.error or "it was not taken"
        tries = message.attempts + 1
        pause = again_in(tries, chance=self._chance(), wish=answer.wish, gone=answer.gone)
        noted = self._outbox.failed(message.number, error, attempts=message.attempts, again_in=pause)
        dead = pause is None and noted
        self._meter.sent(MessageOutcome.DEAD if dead else MessageOutcome.FAILED)
        if answer.away and answer.wish is not None:
            self._rests_until = self._monotonic() + min(answer.wish, LONGEST_WISH).total_seconds()
        if dead:
            log.error("webhook.gave_up", message=message.id, kind=message.kind, detail=error)
        elif not self._failing:
            log.warning("webhook.failing", message=message.id, kind=message.kind, detail=error)
        self._failing = True

    def _forget(self) -> None:
        if self._monotonic() >= self._forgets_at:
            self._outbox.forget()
            self._forgets_at = self._monotonic() + FORGET


_BROKEN = Answer(taken=False, error="it could not be sent", away=True)
"""For one whose thread met a bug, or could not be started."""
