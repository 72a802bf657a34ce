"""The lines of `plumbline events`."""

from datetime import UTC, datetime

from chassis.kafka.tail import PassedRecord
from plumbline.events import as_object, line

AT = datetime(2026, 11, 30, 9, 19, 3, tzinfo=UTC)


def record(key: str | None, **headers: str) -> PassedRecord:
    return PassedRecord("webhooks.sms.v1", 1, 2, AT, key, headers)


def test_line_has_time_topic_type_and_key_and_a_subject_that_is_another() -> None:
    assert line(record("7", ce_type="sms.received")).split() == [
        "2026-11-30", "09:19:03Z", "webhooks.sms.v1", "sms.received", "7",
    ]  # fmt: skip
    assert line(record("7", ce_type="t", ce_subject="7")).split()[-1] == "7"
    assert line(record("7", ce_type="t", ce_subject="8")).split()[-2:] == ["7", "8"]
    assert line(record(None)).split()[-2:] == ["-", "-"]


def test_text_of_others_does_not_steer_the_terminal() -> None:
    shown = line(record("\x1b[2J\n", ce_type="a\x9b31m", ce_subject="\r\nforged"))
    assert shown.isprintable()
    assert "\n" not in shown


def test_object_has_the_position_and_what_the_headers_say() -> None:
    shown = as_object(record("7", ce_id="e", ce_sequence="3"))
    assert (shown["offset"], shown["key"], shown["id"], shown["sequence"]) == (2, "7", "e", "3")
    assert (shown["type"], shown["time"]) == (None, "2026-11-30T09:19:03.000000Z")
