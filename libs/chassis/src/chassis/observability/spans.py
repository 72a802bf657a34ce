"""Spans and their way out: OTLP over HTTP when OTEL_EXPORTER_OTLP_ENDPOINT is set, else none are made.

Trouble with the collector never reaches a service's work: spans go through a bounded queue that drops what
does not fit, a thread of its own sends them, and the flush at the end is bounded.

No text of an error and no identifier of a person becomes an attribute; `messages`, `publishing` and
`requests` list what does.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from chassis import __version__
from chassis.observability.trace_context import checked

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

FLUSH_SECONDS_MAX = 3.0

Attributes: TypeAlias = dict[str, str | int | bool]

_tracer: Tracer | None = None


@contextmanager
def exporting(service: str, endpoint: str | None) -> Generator[None]:
    """Record and export spans inside the block; without an endpoint nothing is loaded and nothing is made.

    The standard OTEL_* variables hold: sampler, resource attributes, headers, time-outs, queue size.

    Args:
        service: `service.name` of the resource.
        endpoint: of the collector, as OTEL_EXPORTER_OTLP_ENDPOINT says; its presence is what counts.
    """
    if endpoint is None:
        yield
        return
    provider = _provider(service)
    try:
        with recording(provider.get_tracer("plumbline", __version__)):
            yield
    finally:
        _shut_down(provider)


@contextmanager
def recording(tracer: Tracer) -> Generator[None]:
    """Make spans with this tracer inside the block."""
    global _tracer  # noqa: PLW0603 - like the log, there is one per process
    before, _tracer = _tracer, tracer
    try:
        yield
    finally:
        _tracer = before


def is_on() -> bool:
    """Whether spans are made at all; ask before doing anything per message."""
    return _tracer is not None


def start(
    name: str, kind: SpanKind, parent: str | None, attributes: Attributes, *, began: int | None = None
) -> Span:
    """A new span; the caller ends it.

    Args:
        name: of few different values: an operation and a topic or route.
        kind: what it is to its neighbours.
        parent: traceparent that it continues; None, or one that is not well-formed, begins a trace.
        attributes: known at its start, for the sampler to see.
        began: nanoseconds since the epoch, None is now.
    """
    assert _tracer is not None, "ask is_on first"
    return _tracer.start_span(name, _context(parent), kind=kind, attributes=attributes, start_time=began)


def traceparent_of(span: Span) -> str:
    """What continues this span elsewhere."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def fail(span: Span, error_type: str) -> None:
    """Mark a span as failed, by a name of few different values and never by a text."""
    span.set_attribute("error.type", error_type)
    span.set_status(Status(StatusCode.ERROR))


def _context(parent: str | None) -> Context:
    if checked(parent) is None:
        return Context()
    assert parent is not None
    _, trace_id, span_id, flags = parent.split("-")
    remote = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_flags(flags))
    return set_span_in_context(NonRecordingSpan(remote), Context())


def _flags(digits: str) -> TraceFlags:
    return TraceFlags(int(digits, 16))


def _provider(service: str) -> "TracerProvider":
    # Loaded here, because a process that exports nothing should not pay a quarter of a second for it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above

    resource = Resource.create({"service.name": service, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _shut_down(provider: "TracerProvider") -> None:
    """Send what is queued, but end on time: the SDK would wait half a minute for a silent collector."""
    flushing = threading.Thread(target=provider.shutdown, name="telemetry-flush", daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS_MAX)
