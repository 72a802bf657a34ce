"""One span per handled message: the child of the message's own trace context.

A batch has messages of many traces, and an outbox row continues the span of the message that caused it. So
there is one span per message, not one per batch with links. All spans of a batch have the times of their
common transaction, and `plumbline.batch.messages` is the size of the batch (`messaging.batch.message_count`
is only for spans of whole batches).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry.trace import Span, SpanKind

from chassis import clock
from chassis.messaging.message import Message
from chassis.observability import spans

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BatchSpans:
    """The spans of a batch, by message; none if spans are not exported."""

    by_message: dict[Message, Span] = field(default_factory=dict[Message, Span])

    def end(self, message: Message, outcome: str, *, error_type: str | None = None) -> None:
        """End the span of a message, after its COMMIT or the failure of its transaction.

        Args:
            message: of the batch. If its span has ended before, nothing happens.
            outcome: "applied", "set_aside", "settled" or "not_applied".
            error_type: why the message was not applied, from a closed list.
        """
        span = self.by_message.pop(message, None)
        if span is None:
            return
        span.set_attribute("plumbline.outcome", outcome)
        if error_type is not None:
            spans.fail(span, error_type)
        span.end()


def begin(consumer: str, messages: Sequence[Message]) -> BatchSpans:
    """Begin a span for each message. Events that the message causes continue this span.

    Call it before the metadata of a message are first used. Each further attempt of a message gets another
    span under the same parent.
    """
    if not spans.is_on():
        return BatchSpans()
    began = int(clock.now().timestamp() * NANOSECONDS)
    batch = BatchSpans()
    for message in messages:
        span = _start(consumer, message, len(messages), began)
        message.continue_trace(spans.traceparent_of(span))
        batch.by_message[message] = span
    return batch


def _start(consumer: str, message: Message, batch: int, began: int) -> Span:
    attributes: spans.Attributes = {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": message.topic,
        "messaging.destination.partition.id": str(message.partition),
        "messaging.kafka.offset": message.offset,
        "messaging.consumer.group.name": consumer,
        "plumbline.batch.messages": batch,
    }
    return spans.start(
        f"process {message.topic}", SpanKind.CONSUMER, message.sent_traceparent, attributes, began=began
    )
