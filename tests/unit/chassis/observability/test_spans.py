"""Spans of records and messages: who continues whom, and that nothing is made when nothing is exported."""

import socket
import threading
import time

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from chassis.consuming import consumer_spans
from chassis.kafka import producer_spans
from chassis.messaging.message import Message
from chassis.observability import spans
from contracts.metadata import MessageMetadata, read_metadata
from unit.chassis.observability.spans_kept import kept, parent_of, traceparent

CAUSE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEADERS = MessageMetadata("e-1", "s", "t", traceparent=CAUSE).to_headers()


def message(offset: int = 0, cause: str | None = CAUSE) -> Message:
    return Message(
        "t.v1", 2, offset, b"k", b"", MessageMetadata("e", "s", "t", traceparent=cause).to_headers()
    )


def test_record_published_carries_the_span_between_cause_and_consumer() -> None:
    with kept() as exporter:
        under_way = producer_spans.begin(["t.v1"], [HEADERS])
        under_way.end([False])
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("send t.v1", SpanKind.PRODUCER)
    assert parent_of(span) == "00f067aa0ba902b7"
    sent = read_metadata(under_way.headers[0])
    assert sent.traceparent == traceparent(span) != CAUSE
    assert sent.id == "e-1"


def test_record_without_a_sound_trace_begins_one() -> None:
    with kept() as exporter:
        producer_spans.begin(["t.v1"], [(("traceparent", b"\xff"),)]).end([False])
    (span,) = exporter.get_finished_spans()
    assert span.parent is None


def test_record_without_an_ack_is_a_failed_span() -> None:
    with kept() as exporter:
        producer_spans.begin(["a", "b"], [HEADERS, HEADERS]).end([False, True])
    good, bad = exporter.get_finished_spans()
    assert (good.status.status_code, bad.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert (bad.attributes or {})["error.type"] == "not_acknowledged"


def test_what_a_message_causes_continues_the_span_that_handles_it() -> None:
    with kept() as exporter:
        batch = [message(0), message(1, cause=None)]
        processing = consumer_spans.begin("booking", batch)
        processing.end(batch[0], "applied")
        processing.end(batch[1], "set_aside", error_type="bug")
    first, second = exporter.get_finished_spans()
    assert (first.name, first.kind) == ("process t.v1", SpanKind.CONSUMER)
    assert parent_of(first) == "00f067aa0ba902b7"
    assert batch[0].metadata.traceparent == traceparent(first)
    assert second.parent is None
    assert batch[1].metadata.traceparent == traceparent(second)
    attributes = second.attributes or {}
    assert attributes["messaging.kafka.offset"] == 1
    assert attributes["plumbline.batch.messages"] == 2
    assert (attributes["plumbline.outcome"], attributes["error.type"]) == ("set_aside", "bug")
    assert first.start_time == second.start_time, "the batch's transaction was theirs together"


def test_message_handled_again_gets_another_span_under_the_same_parent() -> None:
    again = message()
    with kept() as exporter:
        for _ in range(2):
            consumer_spans.begin("booking", [again]).end(again, "applied")
    first, second = exporter.get_finished_spans()
    assert parent_of(first) == parent_of(second)
    assert traceparent(first) != traceparent(second)


def test_caller_that_does_not_want_to_be_recorded_is_not() -> None:
    unsampled = message(cause=CAUSE[:-2] + "00")
    with kept() as exporter:
        consumer_spans.begin("booking", [unsampled]).end(unsampled, "applied")
    assert not exporter.get_finished_spans()
    assert (unsampled.traceparent or "").startswith(CAUSE[:35])


def test_without_an_exporter_everything_passes_untouched() -> None:
    assert not spans.is_on()
    passed = message()
    processing = consumer_spans.begin("booking", [passed])
    processing.end(passed, "applied")
    assert not processing.by_message
    assert passed.traceparent == CAUSE


def test_collector_that_never_answers_delays_the_end_by_no_more_than_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setattr(spans, "FLUSH_SECONDS_MAX", 0.2)
        with spans.exporting("sample", endpoint):
            assert spans.is_on()
            spans.start("x", SpanKind.INTERNAL, None, {}).end()
            ended = time.monotonic()
        took = time.monotonic() - ended
    assert not spans.is_on()
    assert took < 5, "the SDK alone takes 10 s or more"
    assert "telemetry-flush" in {thread.name for thread in threading.enumerate() if thread.daemon}
