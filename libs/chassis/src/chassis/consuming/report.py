"""What a consumer reports of a batch: spans, measurements, and one wide log line per message (ALL-5).

The line says everything there is to know of a message without a word of its content: searching for a trace
id, or for a topic and offset, finds what became of it.
"""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chassis import clock
from chassis.consuming import consumer_spans as process_spans
from chassis.consuming.consumer_spans import Processing
from chassis.consuming.metrics import ConsumerMetrics
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.message import Message
from chassis.observability.logs import HANDLED_LOGGER, write_lines
from chassis.observability.metrics import Metrics
from chassis.observability.trace_context import trace_id
from contracts.reasons import SetAsideReason

_TYPE = re.compile("[a-z]+(?:[._-][a-z]+)*")
_TYPE_CHARACTERS_MAX = 64
OTHER_TYPE = "other"
"""In place of an event type that does not look like one: a sender's words stay out of the log."""


@dataclass(frozen=True, slots=True)
class InHand:
    """A batch that is being applied.

    Attributes:
        messages: of it.
        began: by `time.monotonic`.
        processing: its spans.
    """

    messages: Sequence[Message]
    began: float
    processing: Processing


@dataclass(frozen=True, slots=True)
class SetAsideBecause:
    """Why a message was not applied.

    Attributes:
        reason: from the closed list.
        error: what `loggable` returned, never the error's own text; None for a message behind another.
    """

    reason: SetAsideReason
    error: str | None = None


class HandlingReport:
    """Tells what a consumer does.

    Args:
        consumer: the service's name.
        metrics: of the process.
    """

    def __init__(self, consumer: str, metrics: Metrics) -> None:
        self._consumer = consumer
        self.metrics = ConsumerMetrics(metrics)

    def begin(self, messages: Sequence[Message]) -> InHand:
        """A batch is taken in hand; call it before anything is read from a message."""
        return InHand(messages, time.monotonic(), process_spans.begin(self._consumer, messages))

    def applied(self, in_hand: InHand, messages: Sequence[Message], *, attempts: int = 1) -> None:
        """The transaction of these messages is committed."""
        self.metrics.batch(time.monotonic() - in_hand.began)
        self._tell(in_hand, messages, attempts, because=None)

    def set_aside(
        self, in_hand: InHand, message: Message, because: SetAsideBecause, *, attempts: int
    ) -> None:
        """The transaction that set this message aside is committed."""
        self.metrics.set_aside(because.reason)
        self._tell(in_hand, [message], attempts, because=because)

    def settled(self, in_hand: InHand, messages: Sequence[Message]) -> None:
        """These very records were done with before: nothing but their spans is told."""
        for message in messages:
            in_hand.processing.end(message, "settled")

    def not_applied(self, in_hand: InHand) -> None:
        """The transaction of the batch failed; what is not done comes again."""
        for message in list(in_hand.processing.spans):
            in_hand.processing.end(message, "not_applied", error_type="not_applied")

    def _tell(
        self, in_hand: InHand, messages: Sequence[Message], attempts: int, *, because: SetAsideBecause | None
    ) -> None:
        outcome = "set_aside" if because else "applied"
        seconds, now = time.monotonic() - in_hand.began, clock.now().timestamp()
        self.metrics.handled((message.topic for message in messages), outcome)
        for message in messages:
            in_hand.processing.end(message, outcome, error_type=because.reason.value if because else None)
            if message.sent_at is not None:
                self.metrics.since_sent(message.topic, now - message.sent_at)
        write_lines(
            HANDLED_LOGGER,
            logging.WARNING if because else logging.INFO,
            "message handled",
            (_line(m, outcome, attempts, len(in_hand.messages), seconds, now, because) for m in messages),
        )


def _line(
    message: Message,
    outcome: str,
    attempts: int,
    batch: int,
    seconds: float,
    now: float,
    because: SetAsideBecause | None,
) -> dict[str, Any]:
    traceparent = message.traceparent
    line: dict[str, Any] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "type": _event_type(message),
        "outcome": outcome,
        "attempts": attempts,
        "batch_messages": batch,
        "handling_ms": round(seconds * 1000, 3),
        "since_sent_ms": None if message.sent_at is None else round((now - message.sent_at) * 1000),
        "trace_id": trace_id(traceparent) if traceparent else None,
    }
    return line | {"reason": because.reason.value, "error": because.error} if because else line


def _event_type(message: Message) -> str | None:
    try:
        found = message.metadata.type
    except MalformedMessageError:
        return None
    return found if len(found) <= _TYPE_CHARACTERS_MAX and _TYPE.fullmatch(found) else OTHER_TYPE
