"""Spans, exported as OTLP over HTTP. Without OTEL_EXPORTER_OTLP_ENDPOINT no spans are made.

A collector that fails does not disturb a service: a separate thread sends spans from a bounded queue, the
queue drops spans when it is full, and the flush at the end has a time limit.

No text of an error and no identifier of a person becomes an attribute.
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
    """Record and export spans inside the block. Without an endpoint the SDK is not loaded.

    The SDK reads the standard OTEL_* variables: sampler, resource attributes, headers, time-outs, queue size.

    Args:
        service: `service.name` of the resource.
        endpoint: value of OTEL_EXPORTER_OTLP_ENDPOINT, or None. The SDK reads the address itself.
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
    """Use this tracer inside the block."""
    global _tracer  # noqa: PLW0603 - like the log, there is one per process
    before, _tracer = _tracer, tracer
    try:
        yield
    finally:
        _tracer = before


def is_on() -> bool:
    """Return whether spans are made. Ask before work per message."""
    return _tracer is not None


def start(
    name: str, kind: SpanKind, parent: str | None, attributes: Attributes, *, began: int | None = None
) -> Span:
    """Start a span; the caller ends it.

    Args:
        name: an operation and a topic or route, so that there are few different names.
        kind: OpenTelemetry's kind of span.
        parent: traceparent of the parent; None or a malformed one begins a new trace.
        attributes: those known at the start, which the sampler sees.
        began: start time in nanoseconds since the epoch; None is now.
    """
    assert _tracer is not None, "ask is_on first"
    return _tracer.start_span(name, _context(parent), kind=kind, attributes=attributes, start_time=began)


def traceparent_of(span: Span) -> str:
    """Return the traceparent with which another process continues this span."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def fail(span: Span, error_type: str) -> None:
    """Mark a span as failed. `error_type` is one of few names, never the text of an error."""
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
    # Loading the SDK takes a quarter of a second, which a process that exports nothing should not pay.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above

    resource = Resource.create({"service.name": service, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _shut_down(provider: "TracerProvider") -> None:
    # Bounded, because the SDK would wait half a minute for a silent collector.
    flushing = threading.Thread(target=provider.shutdown, name="telemetry-flush", daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS_MAX)
