"""One span per produced record.

OpenTelemetry's conventions for messaging: kind producer, name `<operation> <destination>`, and the context of
the span goes into the message (creation context).
"""

from collections.abc import Sequence

from opentelemetry.trace import Span, SpanKind

from chassis.observability import spans
from chassis.observability.trace_context import HEADER, read
from contracts.metadata import Headers


class Publishing:
    """Spans of one or more records that are being published.

    Attributes:
        headers: of each record, with the traceparent of its span.
    """

    def __init__(self, headers: Sequence[Headers], started: Sequence[Span]) -> None:
        self.headers = headers
        self._spans = started

    def end(self, failed: Sequence[bool]) -> None:
        """End all spans, as failed where the broker did not acknowledge the record."""
        for span, has_failed in zip(self._spans, failed, strict=True):
            if has_failed:
                spans.fail(span, "not_acknowledged")
            span.end()


def begin(topics: Sequence[str], headers: Sequence[Headers]) -> Publishing:
    """Start a span for each record. Call only if spans are exported.

    Args:
        topics: of each record, without prefix.
        headers: of each record.
    """
    started = [_start(topic, each) for topic, each in zip(topics, headers, strict=True)]
    return Publishing(
        [_with_context(each, span) for each, span in zip(headers, started, strict=True)], started
    )


def _start(topic: str, headers: Headers) -> Span:
    attributes: spans.Attributes = {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
    }
    parent = read(value for name, value in headers if name == HEADER)
    return spans.start(f"send {topic}", SpanKind.PRODUCER, parent, attributes)


def _with_context(headers: Headers, span: Span) -> Headers:
    rest = tuple((name, value) for name, value in headers if name != HEADER)
    return (*rest, (HEADER, spans.traceparent_of(span).encode()))
