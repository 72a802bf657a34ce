"""A span per record that is produced, between whoever caused it and whoever consumes it.

OpenTelemetry's conventions for messaging spans: kind producer, `<operation> <destination>`, and the span's
own context goes into the message (the creation context).
"""

from collections.abc import Sequence

from opentelemetry.trace import Span, SpanKind

from chassis.observability import spans
from chassis.observability.trace_context import HEADER, read
from contracts.metadata import Headers


class Publishing:
    """One or more records on their way to the broker.

    Attributes:
        headers: of each record, continued by its span.
    """

    def __init__(self, headers: Sequence[Headers], made: Sequence[Span]) -> None:
        self.headers = headers
        self._spans = made

    def end(self, failed: Sequence[bool]) -> None:
        """The broker acknowledged them, or did not."""
        for span, has_failed in zip(self._spans, failed, strict=True):
            if has_failed:
                spans.fail(span, "not_acknowledged")
            span.end()


def begin(topics: Sequence[str], headers: Sequence[Headers]) -> Publishing:
    """Begin a span for each record, where spans are exported.

    Args:
        topics: of each record, as on its card.
        headers: of each record.
    """
    made = [_start(topic, each) for topic, each in zip(topics, headers, strict=True)]
    return Publishing([_continued(each, span) for each, span in zip(headers, made, strict=True)], made)


def _start(topic: str, headers: Headers) -> Span:
    attributes: spans.Attributes = {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
    }
    parent = read(value for name, value in headers if name == HEADER)
    return spans.start(f"send {topic}", SpanKind.PRODUCER, parent, attributes)


def _continued(headers: Headers, span: Span) -> Headers:
    rest = tuple((name, value) for name, value in headers if name != HEADER)
    return (*rest, (HEADER, spans.traceparent_of(span).encode()))
