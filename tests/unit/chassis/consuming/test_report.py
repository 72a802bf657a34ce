"""Reports of batches: metrics with bounded labels, one wide log line per message."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import clock
from chassis.consuming.metrics import Backlog, BacklogGauges
from chassis.consuming.partition_queue import Partition
from chassis.consuming.report import OTHER_TYPE, HandlingReport, SetAsideCause
from chassis.messaging.message import Message
from chassis.observability.logs import configure_logs
from chassis.observability.metrics import Metrics
from contracts.metadata import MessageMetadata
from contracts.reasons import SetAsideReason
from unit.chassis.observability.logs_kept import restored

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BUG = SetAsideCause(SetAsideReason.BUG, "KeyError at apply, line 7")


def message(event_type: str = "booking.created", offset: int = 0) -> Message:
    metadata = MessageMetadata("e", "s", event_type, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    sent_at = clock.now().timestamp() - 2
    return Message("t.v1", 3, offset, b"secret-key", b"secret", metadata.to_headers(), sent_at=sent_at)


@pytest.fixture
def log() -> Iterator[StringIO]:
    with restored():
        yield StringIO()


def handle(stream: StringIO, batch: list[Message], **options: str) -> list[dict[str, Any]]:
    configure_logs("sample", stream=stream, **{"log_format": "json", "level": "INFO", **options})
    report = HandlingReport("sample", Metrics("sample"))
    in_flight = report.begin(batch)
    report.applied(in_flight, batch[:-1])
    report.set_aside(in_flight, batch[-1], BUG, attempts=3)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_message_is_one_wide_line(log: StringIO) -> None:
    applied, aside = handle(log, [message(offset=1), message(offset=2)])
    assert applied.pop("at").endswith("Z")
    assert applied.pop("handling_ms") >= 0
    assert 2000 <= applied.pop("since_sent_ms") < 60_000
    assert applied == {
        "event": "message handled",
        "level": "info",
        "logger": "chassis.handled",
        "service": "sample",
        "topic": "t.v1",
        "partition": 3,
        "offset": 1,
        "type": "booking.created",
        "outcome": "applied",
        "attempts": 1,
        "batch_messages": 2,
        "trace_id": TRACE,
    }
    assert aside["level"] == "warning"
    assert (aside["outcome"], aside["reason"], aside["attempts"]) == ("set_aside", "bug", 3)
    assert aside["error"] == BUG.error


@pytest.mark.parametrize("options", [{"level": "WARNING"}, {"messages": "failed"}])
def test_log_can_be_limited_to_failures(log: StringIO, options: dict[str, str]) -> None:
    (line,) = handle(log, [message(offset=1), message(offset=2)], **options)
    assert line["offset"] == 2


def test_console_has_the_same_lines(log: StringIO) -> None:
    configure_logs("sample", log_format="console", level="INFO", stream=log)
    report = HandlingReport("sample", Metrics("sample"))
    report.applied(report.begin([message()]), [message(offset=1), message(offset=2)])
    assert log.getvalue().count("message handled") == 2


@pytest.mark.parametrize("hostile", ["+13125550100", "ada@example.com", "a b", "x" * 65, "Ada", "a1"])
def test_event_type_of_another_form_is_not_logged(log: StringIO, hostile: str) -> None:
    lines = handle(log, [message(hostile)])
    assert [line["type"] for line in lines] == [OTHER_TYPE]
    assert hostile not in log.getvalue()


def test_message_without_readable_headers_is_logged_too(log: StringIO) -> None:
    (line,) = handle(log, [Message("t.v1", 0, 9, b"", b"", (("ce_id", b"\xff"),))])
    assert (line["offset"], line["type"], line["trace_id"], line["since_sent_ms"]) == (9, None, None, None)


@given(st.text(), st.text(), st.binary())
def test_no_word_of_a_message_becomes_a_label(event_type: str, source: str, key: bytes) -> None:
    metrics = Metrics("sample")
    report = HandlingReport("sample", metrics)
    headers = MessageMetadata("e", source, event_type).to_headers() if source.isprintable() else ()
    hostile = [Message("t.v1", 0, n, key, b"", headers, sent_at=0.0) for n in range(2)]
    in_flight = report.begin(hostile)
    report.applied(in_flight, hostile[:1])
    report.set_aside(in_flight, hostile[1], BUG, attempts=1)
    for family in metrics.registry.collect():
        for sample in family.samples:
            names = set(sample.labels) - {"le"}
            if sample.name.startswith("sample_") and names - {"version"}:
                known = {"topic": {"t.v1"}, "partition": {"0"}, "outcome": {"applied", "set_aside"}}
                known["reason"] = {reason.value for reason in SetAsideReason}
                assert all(sample.labels[name] in known[name] for name in names), sample


def test_gauges_show_the_backlog_at_the_scrape() -> None:
    metrics, backlog = Metrics("sample"), dict[Partition, Backlog]()
    metrics.register(BacklogGauges(metrics, lambda: backlog))
    value = metrics.registry.get_sample_value
    labels = {"topic": "t.v1", "partition": "0"}
    backlog["t.v1", 0] = Backlog(7, clock.now().timestamp() - 10)
    assert value("sample_lag_messages", labels) == 7
    assert (value("sample_oldest_unhandled_seconds", labels) or 0) >= 10
    backlog["t.v1", 0] = Backlog(None, None)
    assert value("sample_lag_messages", labels) is None
    assert value("sample_oldest_unhandled_seconds", labels) == 0
    backlog.clear()
    assert value("sample_oldest_unhandled_seconds", labels) is None
