"""Spans kept in memory, for tests that look at them."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis.observability import spans


@contextmanager
def kept() -> Generator[InMemorySpanExporter]:
    """Spans are made inside the block and stand in what it gives."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with spans.recording(provider.get_tracer("test")):
        yield exporter


def traceparent(span: ReadableSpan) -> str:
    """Return the header that continues a span."""
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def parent_of(span: ReadableSpan) -> str | None:
    """The span id of its parent."""
    return None if span.parent is None else f"{span.parent.span_id:016x}"
