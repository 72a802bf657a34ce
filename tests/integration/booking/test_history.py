"""The status history cannot be rewritten, and the published view can only be read (BK-5, REC-2)."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator

import asyncpg
import httpx
import pytest

from harness import Infra, Stack, eventually, start_services
from harness.ports import free_port
from integration.booking.booking_calls import WORKED_TOTAL, BookingApi, payment_record, request
from reconciler.adapters.booking_view import IN_ORDER, PAGE_AFTER

FORBIDDEN = [
    "UPDATE status_transition SET reason = 'other'",
    "DELETE FROM status_transition",
    "TRUNCATE status_transition",
]

_MANY_BOOKINGS = """
WITH made AS (
    INSERT INTO booking (
        booking_id, status, payment_status, version, transitions, service, starts_at, ends_at,
        currency, total, pricing, client_name, client_phone, pets, visits, request_sha256
    )
    SELECT
        uuidv7(), CASE WHEN number % 10 = 0 THEN 'pending' ELSE 'confirmed' END, 'paid', 3, 2, 'drop-in',
        '2026-11-24T15:00Z', '2026-11-24T16:00Z', 'USD', 3200,
        jsonb_build_object('total', 3200, 'lines', repeat('x', 900)), 'A', '5550100', '[]', '[]', ''
    FROM generate_series(1, 20000) AS number
    RETURNING booking_id, status
), history AS (
    INSERT INTO status_transition (booking_id, version, from_status, to_status, changed_by, metadata)
    SELECT booking_id, 2, 'pending', status, 'stripe', '{}' FROM made
)
INSERT INTO payment (booking_id, provider, provider_payment_id, event_id, captured, currency)
SELECT booking_id, 'stripe', booking_id, booking_id, 3200, 'USD' FROM made
"""


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


async def test_typed_reason_is_erased_beside_the_history(api: BookingApi) -> None:
    booking = await api.create()
    await api.call("PATCH", f"/{booking['id']}", {"status": "cancelled", "reason": "Jane Roe called"})
    database = api.stack.database("booking")
    assert (await api.history(booking["id"]))[-1]["reason"] == "Jane Roe called"
    event = (await api.events(booking["id"], 2))[-1]
    assert json.loads(event.value or b"")["reason"] == "Jane Roe called"
    rows = "SELECT status_transition::text FROM status_transition WHERE booking_id = $1"
    before = await database.fetch(rows, booking["id"])
    assert "Jane" not in str(before)
    erase = "DELETE FROM transition_reason WHERE booking_id = $1"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.execute(erase, booking["id"], role="booking")
    async with database.connect() as connection:
        await connection.execute("SET ROLE booking_eraser")
        await connection.execute(erase, booking["id"])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM status_transition WHERE booking_id = $1", booking["id"])
    last = (await api.history(booking["id"]))[-1]
    assert (last["reason"], last["reason_erased"]) == (None, True)
    assert await database.fetch(rows, booking["id"]) == before


@pytest.mark.parametrize("statement", FORBIDDEN)
@pytest.mark.parametrize("who", ["service", "owner", "superuser", "replica"])
async def test_history_cannot_be_changed_by_anybody(api: BookingApi, who: str, statement: str) -> None:
    booking = await api.brought_to("confirmed")
    database = api.stack.database("booking")
    async with database.connect("booking" if who == "service" else None) as connection:
        if who == "owner":
            await connection.execute("SET ROLE booking_owner")
        if who == "replica":
            await connection.execute("SET session_replication_role = replica")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    assert len(await api.history(booking["id"])) == 2


@pytest.mark.parametrize(
    ("breach", "complaint", "repair"),
    [
        (
            "ALTER TABLE status_transition DISABLE TRIGGER status_transition_statements",
            "ENABLE ALWAYS triggers",
            "ALTER TABLE status_transition ENABLE ALWAYS TRIGGER status_transition_statements",
        ),
        (
            "GRANT DELETE ON status_transition TO booking",
            "granted DELETE",
            "REVOKE DELETE ON status_transition FROM booking",
        ),
    ],
    ids=["trigger", "grant"],
)
async def test_service_does_not_run_while_its_history_is_unguarded(
    infra: Infra, breach: str, complaint: str, repair: str
) -> None:
    async with start_services(infra) as stack:
        database = stack.database("booking")
        await database.execute(breach)
        service = await stack.start("booking", {"START_SECONDS_MAX": "2"}, ready=False)
        await eventually(lambda: not service.running, seconds=20)
        assert complaint in service.log()
        await database.execute(repair)
        await service.start()


async def test_view_shows_what_is_stored_of_bookings_to_be_reconciled(api: BookingApi) -> None:
    paid, pending = await api.create(), await api.create()
    cancelled = await api.brought_to("cancelled")
    await api.publish(payment_record(paid["id"]), payment_record(paid["id"], amount=100, currency="eur"))
    await api.events(paid["id"], 4)
    database = api.stack.database("booking")
    rows = await database.fetch(
        "SELECT * FROM booking.reconciliation_v1 WHERE booking_id = ANY($1::uuid[])",
        [booking["id"] for booking in (paid, pending, cancelled)],
        role="reconciler_booking_view",
    )
    assert [str(row["booking_id"]) for row in rows] == [paid["id"]]
    row = rows[0]
    assert (row["status"], row["total"], row["currency"]) == ("confirmed", WORKED_TOTAL, "USD")
    assert (row["captured"], row["refunded"], row["charge_count"]) == (WORKED_TOTAL, 0, 2)
    assert row["payment_currencies"] == ["EUR", "USD"]
    assert json.loads(row["pricing"]) == paid["pricing"]
    assert row["confirmed_at"] is not None
    assert (row["cancelled_at"], row["held"], row["contradictory_payments"]) == (None, WORKED_TOTAL, 0)
    statuses = await database.fetch(
        "SELECT status FROM reconciliation_status_v1 WHERE booking_id = ANY($1::uuid[]) ORDER BY status",
        [booking["id"] for booking in (paid, pending, cancelled)],
        role="reconciler_booking_view",
    )
    assert [row["status"] for row in statuses] == ["cancelled", "confirmed", "pending"]
    await api.change(paid["id"], "cancelled")
    after = await database.fetchrow(
        "SELECT * FROM reconciliation_v1 WHERE booking_id = $1", paid["id"], role="reconciler_booking_view"
    )
    assert after is not None
    assert (after["status"], after["held"]) == ("cancelled", WORKED_TOTAL)
    history = await database.fetchval(
        "SELECT max(recorded_at) FROM status_transition WHERE booking_id = $1", paid["id"]
    )
    assert after["cancelled_at"] == history


async def test_view_shows_a_booking_whose_row_contradicts_its_facts(api: BookingApi) -> None:
    paid = await api.brought_to("confirmed")
    await api.publish(payment_record(paid["id"]))
    await api.when_paid(paid["id"])
    falsified, cancelled, pending = (
        await api.brought_to("confirmed"),
        await api.brought_to("confirmed"),
        await api.create(),
    )
    database = api.stack.database("booking")
    async with database.without_triggers("booking") as connection:
        change = "UPDATE booking SET status = $2 WHERE booking_id = $1"
        await connection.execute(change, falsified["id"], "pending")
        await connection.execute(change, cancelled["id"], "cancelled")
    before = await database.fetchval("SELECT clock_timestamp()")
    await database.execute("UPDATE booking SET captured = captured + 7 WHERE booking_id = $1", paid["id"])
    rows = await database.fetch(
        "SELECT * FROM booking.reconciliation_v1 WHERE booking_id = ANY($1::uuid[])",
        [booking["id"] for booking in (paid, falsified, cancelled, pending)],
        role="reconciler_booking_view",
    )
    by_id = {str(row["booking_id"]): row for row in rows}
    statuses = {booking: (row["status"], row["history_status"]) for booking, row in by_id.items()}
    assert statuses == {
        paid["id"]: ("confirmed", "confirmed"),
        falsified["id"]: ("pending", "confirmed"),
        cancelled["id"]: ("cancelled", "confirmed"),
    }
    row = by_id[paid["id"]]
    assert (row["kept_captured"], row["kept_refunded"]) == (WORKED_TOTAL + 7, 0)
    assert (row["counted_captured"], row["counted_refunded"]) == (WORKED_TOTAL, 0)
    assert row["changed_at"] > before > row["money_changed_at"]


async def test_view_is_all_that_its_reader_sees(api: BookingApi) -> None:
    database = api.stack.database("booking")
    for statement in (
        "SELECT FROM booking",
        "SELECT FROM payment",
        "SELECT FROM status_transition",
        "SELECT FROM outbox",
        "UPDATE reconciliation_v1 SET total = 0",
        "UPDATE booking SET total = 0",
    ):
        async with database.connect("reconciler_booking_view") as connection:
            await connection.execute("SET default_transaction_read_only = off")
            with pytest.raises(asyncpg.PostgresError) as refused:
                await connection.execute(statement)
            assert refused.value.sqlstate in {"42501", "55000"}, statement


async def test_a_page_of_the_view_walks_the_primary_key(infra: Infra) -> None:
    async with (
        start_services(infra) as stack,
        stack.database("booking").without_triggers("booking", "status_transition") as connection,
    ):
        await connection.execute(_MANY_BOOKINGS)
        await connection.execute("ANALYZE booking, payment, status_transition")
        await connection.execute(IN_ORDER)
        plans = [
            await connection.fetch(f"EXPLAIN {statement}", "00000000-0000-0000-0000-000000000000", 5000)
            for statement in (PAGE_AFTER, "SELECT * FROM reconciliation_v1 WHERE booking_id > $1 LIMIT $2")
        ]
    for plan in plans:
        text = "\n".join(row[0] for row in plan)
        assert "Index Scan using booking_pkey on booking" in text
        assert "Index Scan using payment_booking on payment" in text
        assert "status_transition_booking_id_version_key on status_transition" in text
        # This table is empty here: its one page is read at once.
        assert "Seq Scan" not in text.replace("Seq Scan on payment_anomaly", "")


async def test_two_replicas_share_the_work_and_double_nothing(api: BookingApi) -> None:
    stack = api.stack
    second = await stack.start("booking")
    try:
        bookings = await asyncio.gather(*(api.create() for _ in range(20)))
        records = [payment_record(booking["id"]) for booking in bookings]
        await api.publish(*records, *records)
        for booking in bookings:
            await api.when_paid(booking["id"])
        answers = await asyncio.gather(
            *(
                api.call("PATCH", f"/{bookings[0]['id']}", {"status": status}, url=url)
                for url in (stack.url("booking"), second.url)
                for status in ("pending", "confirmed", "in_progress")
            )
        )
        assert {answer.status_code for answer in answers} <= {200, 409}
        for booking in bookings:
            history = await api.history(booking["id"])
            assert [entry["version"] for entry in history] == list(range(1, len(history) + 1))
            version = (await api.read(booking["id"]))["version"]
            events = await api.events(booking["id"], version)
            assert [event.header("ce_sequence") for event in events] == [
                str(number) for number in range(1, version + 1)
            ]
    finally:
        await second.stop()


async def test_unknown_duty_is_one_line_and_exit_code_2(booking_stack: Stack) -> None:
    wrong = await booking_stack.run("booking", "serve", "--only", "api,coffee")
    assert wrong.exit_code == 2
    assert wrong.stderr == "error: --only api,coffee: choose from api,consumers,relay\n"


@pytest.mark.parametrize(
    ("only", "parts", "status"), [("api", set[str](), 201), ("relay,consumers", {"relay", "consumers"}, 404)]
)
async def test_process_does_only_the_duties_asked_for(
    booking_stack: Stack, http: httpx.AsyncClient, only: str, parts: set[str], status: int
) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "booking", "serve", "--only", only,
        env=booking_stack.environment({"BOOKING_PORT": str(port)}),
    )  # fmt: skip
    try:

        async def ready() -> dict[str, object]:
            try:
                answer = await http.get(f"http://127.0.0.1:{port}/health/ready")
            except httpx.TransportError:
                return {}
            return answer.json()["checks"] if answer.status_code == 200 else {}

        checks = await eventually(ready, seconds=20)
        assert checks.keys() & {"relay", "consumers"} == parts
        answer = await http.post(f"http://127.0.0.1:{port}/api/bookings", json=request())
        assert answer.status_code == status
    finally:
        process.terminate()
        assert await process.wait() == 0
