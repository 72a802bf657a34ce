"""Asking the EventLog over HTTP and by the command line (AU-5)."""

import json
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis import clock
from contracts.ids import digest_of
from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, changed, created, webhook
from integration.audit.sealed_log import is_sealed

STRIPE = "webhooks.stripe.v1"
BOOKINGS = "bookings.events.v1"
BOOKING_ID = "0197f3a0-7c1e-7d52-9f64-3b0c5a8e21d7"  # fixed: parallel workers compare the tests' names


@pytest.fixture(scope="module")
async def audit_stack(infra: Infra, http: httpx.AsyncClient) -> AsyncGenerator[Stack]:
    """Provide a log with entries of several kinds, ten of them about one booking."""
    async with start_services(infra, "audit") as stack:
        audit = AuditApi(stack, http)
        await audit.recorded(STRIPE, *(webhook(b"{}", subject=BOOKING_ID) for _ in range(7)))
        await audit.recorded(
            BOOKINGS,
            created(BOOKING_ID),
            changed(BOOKING_ID, 2, "pending", "confirmed"),
            changed(clock.new_id(), 1, "pending", "cancelled"),
        )
        # Sealing gives an entry its leaf index: it must not come between two readings of the same entry.
        await eventually(lambda: is_sealed(stack), seconds=20, what="all sealed")
        yield stack


@pytest.fixture
def audit(audit_stack: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(audit_stack, http)


async def pages(audit: AuditApi, **filters: Any) -> AsyncGenerator[list[Mapping[str, Any]]]:
    cursor: dict[str, str] = {}
    while True:
        answer = (await audit.get("/api/event-log", **filters, **cursor)).json()
        yield answer["items"]
        if answer["next_cursor"] is None:
            return
        cursor = {"cursor": answer["next_cursor"]}


async def lines(audit: AuditApi, **filters: Any) -> list[Mapping[str, Any]]:
    response = await audit.get("/api/event-log", format="ndjson", **filters)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


async def test_entries_come_newest_first(audit: AuditApi) -> None:
    keys = [(item["recorded_at"], item["entry_id"]) for item in await audit.entries()]
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 500])
async def test_pages_hold_every_entry_once_also_while_the_log_grows(audit: AuditApi, limit: int) -> None:
    subject = clock.new_id()
    await audit.recorded(STRIPE, *(webhook(b"{}", subject=subject) for _ in range(6)))
    expected = [item["entry_id"] for item in await audit.entries(booking_id=subject)]
    entry_ids: list[int] = []
    async for items in pages(audit, booking_id=subject, limit=limit):
        assert len(items) <= limit
        entry_ids += [item["entry_id"] for item in items]
        await audit.recorded(STRIPE, webhook(b"{}", subject=subject))
    assert len(entry_ids) == 6
    assert entry_ids == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"booking_id": BOOKING_ID}, 9),
        ({"booking_id": BOOKING_ID.upper()}, 9),
        ({"booking_id": BOOKING_ID, "source": "stripe"}, 7),
        ({"booking_id": BOOKING_ID, "source": "/webhooks/stripe"}, 7),
        ({"booking_id": BOOKING_ID, "source": "booking"}, 2),
        ({"booking_id": BOOKING_ID, "event_type": "booking.created"}, 1),
        ({"booking_id": BOOKING_ID, "event_type": "booking.created", "status": "success"}, 1),
        ({"booking_id": BOOKING_ID, "event_type": "booking.created", "status": "failed"}, 0),
        ({"booking_id": BOOKING_ID, "q": "PAYMENT_intent"}, 7),
        ({"booking_id": BOOKING_ID, "q": "ayment_intent"}, 0),  # not the beginning of a word
        ({"booking_id": BOOKING_ID, "q": "booking.created booking"}, 0),  # ends one field, begins the next
        ({"q": BOOKING_ID[-12:], "event_type": "booking.status-changed"}, 1),
        ({"booking_id": BOOKING_ID, "from": "2026-01-01T00:00:00Z", "to": "2999-01-01T00:00:00+02:00"}, 9),
        ({"booking_id": BOOKING_ID, "to": "2026-01-01T00:00:00Z"}, 0),
        ({"booking_id": "no such booking"}, 0),
    ],
    ids=str,
)
async def test_filters_agree_all_at_once(audit: AuditApi, filters: dict[str, str], expected: int) -> None:
    assert len(await audit.entries(**filters)) == expected


async def test_time_range_includes_its_beginning_and_not_its_end(audit: AuditApi) -> None:
    entry = (await audit.entries(booking_id=BOOKING_ID, limit=1))[0]
    at = datetime.fromisoformat(entry["recorded_at"])
    after = (at + timedelta(microseconds=1)).astimezone(UTC).isoformat()
    both = {"event_id": entry["event_id"]}
    assert len(await audit.entries(**both, from_=entry["recorded_at"], to=after)) == 1
    assert await audit.entries(**both, to=entry["recorded_at"]) == []
    assert await audit.entries(**both, from_=after) == []


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"status": "good"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-23T12:00:00"}, "from"),
        ({"to": "0001-01-01T00:00:00+14:00"}, "to"),
        ({"format": "xml"}, "format"),
        ({"cursor": "abc"}, "cursor"),
        ({"cursor": "WzEsIDBd"}, "cursor"),  # [1, 0]
        ({"cursor": "WzEsIDk5OTk5OTk5OTk5OTk5OTk5OTk5OTld"}, "cursor"),  # beyond a bigint
        ({"cursor": "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTksIDFd"}, "cursor"),  # beyond the calendar
        ({"bookingid": "x"}, "bookingid"),
        ({"q": "x" * 501}, "q"),
        ({"q": "%"}, "q"),
    ],
    ids=str,
)
async def test_question_that_makes_no_sense_is_400_and_says_which_part(
    audit: AuditApi, parameters: dict[str, str], name: str
) -> None:
    response = await audit.get("/api/event-log", **parameters)
    assert response.status_code == 400, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    assert name in response.text


async def test_one_entry_is_the_item_of_the_list_and_its_digest(audit: AuditApi) -> None:
    item = (await audit.entries(booking_id=BOOKING_ID, limit=1))[0]
    detail = (await audit.get(f"/api/event-log/{item['entry_id']}")).json()
    assert len(bytes.fromhex(detail.pop("payload_digest"))) == 32
    assert detail.pop("proof") is not None
    assert detail == item


@pytest.mark.parametrize("entry_id", ["0", "-1", "999999999", "9" * 30, "abc"])
async def test_entry_that_is_not_there_is_404(audit: AuditApi, entry_id: str) -> None:
    assert (await audit.get(f"/api/event-log/{entry_id}")).status_code == 404


async def test_export_holds_the_same_items_oldest_first(audit: AuditApi) -> None:
    items = await audit.entries(booking_id=BOOKING_ID)
    assert await lines(audit, booking_id=BOOKING_ID) == items[::-1]
    response = await audit.get("/api/event-log/export", booking_id=BOOKING_ID)
    assert [json.loads(line) for line in response.text.splitlines() if b"audit.export" not in line.encode()]
    everything = [line["entry_id"] for line in await lines(audit)]
    assert len(everything) == len(set(everything)) >= len(items)


async def test_export_is_had_by_its_media_type_too(
    audit: AuditApi, audit_stack: Stack, http: httpx.AsyncClient
) -> None:
    url = f"{audit_stack.url('audit')}/api/event-log?booking_id={BOOKING_ID}"
    response = await http.get(url, headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in response.text.splitlines()] == await lines(
        audit, booking_id=BOOKING_ID
    )


async def test_export_is_whole_and_takes_no_page(audit: AuditApi) -> None:
    for name in ("limit", "cursor"):
        response = await audit.get("/api/event-log", format="ndjson", **{name: "7"})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (400, name)


async def test_cursor_of_another_filter_is_refused(audit: AuditApi) -> None:
    filters = {"booking_id": BOOKING_ID, "limit": 1}
    cursor = (await audit.get("/api/event-log", **filters)).json()["next_cursor"]
    assert (await audit.get("/api/event-log", **filters, cursor=cursor)).status_code == 200
    other = await audit.get("/api/event-log", **filters, cursor=cursor, source="booking")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (400, "cursor")


async def test_export_has_no_character_that_steers_a_terminal(audit: AuditApi) -> None:
    event_id = f"a\x7f\x9b2J{clock.new_id()}"
    await audit.recorded(STRIPE, webhook(b"{}", event_id=event_id))
    response = await audit.get("/api/event-log", format="ndjson", event_id=event_id)
    assert not set(response.text) & set("\x7f\x9b")
    assert [json.loads(line)["event_id"] for line in response.text.splitlines()] == [digest_of(event_id)]


async def test_export_longer_than_a_page_is_complete(audit: AuditApi) -> None:
    marker = clock.new_id()
    await audit.recorded(STRIPE, *(webhook(b"{}", subject=marker) for _ in range(2100)))
    exported = [line["entry_id"] for line in await lines(audit, booking_id=marker)]
    assert len(set(exported)) == 2100


async def test_command_line_exports_what_http_does(audit: AuditApi, audit_stack: Stack) -> None:
    done = await audit_stack.run("audit", "export", "--booking-id", BOOKING_ID, "--source", "stripe")
    assert (done.exit_code, done.stderr) == (0, "")
    exported = [json.loads(line) for line in done.stdout.splitlines()]
    assert exported == await lines(audit, booking_id=BOOKING_ID, source="stripe")


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["--from", "yesterday"], {}, "--from"),
        (["--to", "2026-11-23T12:00:00"], {}, "offset"),
        ([], {"AUDIT_POSTGRES_DSN": "postgresql://audit:x@127.0.0.1:1/none"}, "export:"),
        ([], {"AUDIT_POSTGRES_DSN": ""}, "AUDIT_POSTGRES_DSN"),
    ],
)
async def test_export_that_cannot_be_done_is_one_line_and_exit_2(
    audit_stack: Stack, arguments: list[str], env: dict[str, str], said: str
) -> None:
    done = await audit_stack.run("audit", "export", *arguments, env=env)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_openapi_tells_every_parameter_and_shape(audit_stack: Stack, http: httpx.AsyncClient) -> None:
    document = (await http.get(f"{audit_stack.url('audit')}/schema/openapi.json")).json()
    parameters = {each["name"] for each in document["paths"]["/api/event-log"]["get"]["parameters"]}
    assert parameters == {
        "event_type", "status", "source", "booking_id", "event_id", "by", "from", "to", "q",
        "limit", "cursor", "format", "If-None-Match",
    }  # fmt: skip
    assert "leaf_index" in json.dumps(document["components"]["schemas"])
