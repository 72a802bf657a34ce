"""A span per message that is handled: the child of the message's own trace context.

One span per message and not one per batch with links, because a batch holds messages of many traces, and
each must lead on to what it alone caused: an outbox row continues the span of its message. That the batch
shared one transaction is shown, not hidden: every span has the batch's times, and `plumbline.batch.messages`
says how many there were (`messaging.batch.message_count` is for spans of whole batches only).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry.trace import Span, SpanKind

from chassis import clock
from chassis.messaging.message import Message
from chassis.observability import spans

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Processing:
    """The spans of a batch, by message; none where nothing is exported."""

    spans: dict[Message, Span] = field(default_factory=dict[Message, Span])

    def end(self, message: Message, outcome: str, *, error_type: str | None = None) -> None:
        """A message is done with: after its COMMIT, or when that failed.

        Args:
            message: of the batch; one that was ended before is passed over.
            outcome: "applied", "set_aside", "settled" or "not_applied".
            error_type: why not applied, from a closed list.
        """
        span = self.spans.pop(message, None)
        if span is None:
            return
        span.set_attribute("plumbline.outcome", outcome)
        if error_type is not None:
            spans.fail(span, error_type)
        span.end()


def begin(consumer: str, messages: Sequence[Message]) -> Processing:
    """Begin a span for each message, and let what it causes continue that span.

    Call it before a message's metadata are first used. Begun again, a message gets another span under the
    same parent, as another attempt should.
    """
    if not spans.is_on():
        return Processing()
    began = int(clock.now().timestamp() * NANOSECONDS)
    processing = Processing()
    for message in messages:
        span = _start(consumer, message, len(messages), began)
        message.continue_trace(spans.traceparent_of(span))
        processing.spans[message] = span
    return processing


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
