"""Report a batch: spans, metrics, and one wide log line per message (ALL-5).

The line has everything about the handling of a message, and nothing of its content. A search for a trace id,
or for topic and offset, finds the outcome of the message.
"""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chassis import clock
from chassis.consuming import consumer_spans
from chassis.consuming.consumer_spans import BatchSpans
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
"""Replaces an event type of another form: no text of a sender is logged."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A batch in flight.

    Attributes:
        messages: of the batch.
        began: by `time.monotonic`.
        spans: of the messages.
    """

    messages: Sequence[Message]
    began: float
    spans: BatchSpans


@dataclass(frozen=True, slots=True)
class SetAsideCause:
    """Why a message was set aside.

    Attributes:
        reason: from the closed list.
        error: class of the error, never its text; None without an error.
    """

    reason: SetAsideReason
    error: str | None = None


class HandlingReport:
    """Reports the handling of messages by one consumer.

    Args:
        consumer: the service's name.
        metrics: of the process.
    """

    def __init__(self, consumer: str, metrics: Metrics) -> None:
        self._consumer = consumer
        self.metrics = ConsumerMetrics(metrics)

    def begin(self, messages: Sequence[Message]) -> InFlight:
        """Begin the report of a batch. Call it before the metadata of a message are read."""
        return InFlight(messages, time.monotonic(), consumer_spans.begin(self._consumer, messages))

    def applied(self, in_flight: InFlight, messages: Sequence[Message], *, attempts: int = 1) -> None:
        """Report messages that were applied and committed."""
        self.metrics.batch(time.monotonic() - in_flight.began)
        self._report(in_flight, messages, attempts, cause=None)

    def set_aside(
        self, in_flight: InFlight, message: Message, cause: SetAsideCause, *, attempts: int
    ) -> None:
        """Report a message that was set aside and committed."""
        self.metrics.set_aside(cause.reason)
        self._report(in_flight, [message], attempts, cause=cause)

    def settled(self, in_flight: InFlight, messages: Sequence[Message]) -> None:
        """End the spans of records that were stored or discarded before. Report nothing else."""
        for message in messages:
            in_flight.spans.end(message, "settled")

    def not_applied(self, in_flight: InFlight) -> None:
        """End the spans of all other messages: their transaction failed, or they come again."""
        for message in list(in_flight.spans.by_message):
            in_flight.spans.end(message, "not_applied", error_type="not_applied")

    def _report(
        self, in_flight: InFlight, messages: Sequence[Message], attempts: int, *, cause: SetAsideCause | None
    ) -> None:
        outcome = "set_aside" if cause else "applied"
        seconds, now = time.monotonic() - in_flight.began, clock.now().timestamp()
        self.metrics.handled((message.topic for message in messages), outcome)
        for message in messages:
            in_flight.spans.end(message, outcome, error_type=cause.reason.value if cause else None)
        self.metrics.since_sent(messages, now)
        write_lines(
            HANDLED_LOGGER,
            logging.WARNING if cause else logging.INFO,
            "message handled",
            (_line(m, outcome, attempts, len(in_flight.messages), seconds, now, cause) for m in messages),
        )


def _line(
    message: Message,
    outcome: str,
    attempts: int,
    batch: int,
    seconds: float,
    now: float,
    cause: SetAsideCause | None,
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
    return line | {"reason": cause.reason.value, "error": cause.error} if cause else line


def _event_type(message: Message) -> str | None:
    try:
        name = message.metadata.type
    except MalformedMessageError:
        return None
    return name if len(name) <= _TYPE_CHARACTERS_MAX and _TYPE.fullmatch(name) else OTHER_TYPE
