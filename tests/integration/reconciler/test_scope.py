"""Scope of a run: bookings that cannot be evaluated, are no longer evaluated, or are cancelled."""

import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.clock import new_id
from harness import Infra, Stack, start_services
from integration.reconciler.reconciler_bookings import (
    PRICE,
    change_payments,
    change_status,
    completed_run,
    corrupt,
    delete_booking,
    events_about,
    exceptions_of,
    insert_bookings,
    pay,
    types,
)
from reconciler.adapters.booking_rows import IS_PLAIN, read_row
from reconciler.adapters.booking_view import PAGE_AFTER
from reconciler.domain.bookings import StoredBooking, UnreadableBooking

FALSIFIED = {
    "empty object": "pricing = '{}'",
    "JSON null": "pricing = 'null'",
    "SQL NULL": "pricing = NULL",
    "no object": "pricing = '\"132.00\"'",
    "unknown card": "pricing = jsonb_set(pricing, '{rate_card,version}', '\"1999-13\"')",
    "unknown engine": "pricing = jsonb_set(pricing, '{engine_version}', '99')",
    "unknown status": "status = 'paid'",
    "time without a calendar": "confirmed_at = 'infinity'",
    "year 20000": "confirmed_at = '20000-01-01'",
    "status of another history": "status = 'pending'",
    "sum of other payments": "captured = captured + 1",
}


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        yield stack


async def falsify(own: Stack, statement: str, *values: Any) -> None:
    """Change booking's tables as somebody who owns them: no constraint and no trigger in the way."""
    async with own.database("booking").without_triggers("booking.booking") as connection:
        for constraint in await connection.fetch(
            "SELECT conrelid::regclass AS place, conname AS name FROM pg_constraint"
            " WHERE conrelid = ANY('{booking.booking, booking.payment}'::regclass[]) AND contype = 'c'"
        ):
            place, name = constraint["place"], constraint["name"]
            await connection.execute(f'ALTER TABLE {place} DROP CONSTRAINT "{name}"')
        await connection.execute(statement, *values)


async def read_all(own: Stack, is_plain: str) -> list[StoredBooking | UnreadableBooking]:
    async with own.database("booking").connect() as connection:
        await connection.execute("SET timezone TO 'UTC'")
        rows = await connection.fetch(PAGE_AFTER.replace(IS_PLAIN, is_plain), UUID(int=0), 1000)
    return [read_row(row) for row in rows]


async def test_what_could_not_be_checked_is_an_exception_until_it_can(
    own: Stack, http: httpx.AsyncClient
) -> None:
    names = [*FALSIFIED, "negative payment", "refunded beyond", "sum beyond 64 bits"]
    before = await completed_run(own, http)
    ids = dict(zip(names, await insert_bookings(own, len(names)), strict=True))
    good = await insert_bookings(own, 3)
    set_column = "UPDATE booking.booking SET {} WHERE booking_id = $1"
    for name, change in FALSIFIED.items():
        await falsify(own, set_column.format(change), ids[name])
    set_payment = "UPDATE booking.payment SET {} WHERE booking_id = $1"
    await pay(own, [ids["negative payment"]], number=2)
    await falsify(own, set_payment.format("captured = -captured"), ids["negative payment"])
    await falsify(own, set_payment.format("refunded = captured + 1"), ids["refunded beyond"])
    await pay(own, [ids["sum beyond 64 bits"]], captured=2**63 - 1, number=2)
    await corrupt(own, good[1], "total = 15000")

    assert await read_all(own, IS_PLAIN) == await read_all(own, "false"), (
        "the form of a row changes a booking"
    )
    run = await completed_run(own, http)
    added = {outcome: run[outcome] - before[outcome] for outcome in ("errored", "clean", "drifted")}
    assert added == {"errored": len(names), "clean": 2, "drifted": 1}
    exceptions = await exceptions_of(own, http, [*ids.values(), *good])
    assert {name: [(e["type"], e["severity"]) for e in exceptions[ids[name]]] for name in names} == {
        name: [("not_evaluable", "high")] for name in names
    }
    assert [item["type"] for item in exceptions[good[1]]] == ["pricing_drift"]
    assert {len(exceptions.get(booking, [])) for booking in (good[0], good[2])} == {0}
    opened = ["reconciliation.exception-opened", "reconciliation.booking-errored"]
    assert types(await events_about(own, ids["SQL NULL"])) == opened
    finished = await own.run("reconciler", "run", "--fail-on-drift")
    assert finished.exit_code == 1, finished.stderr

    mended = ids["unknown engine"]
    await corrupt(own, mended, "pricing = jsonb_set(pricing, '{engine_version}', '1')")
    await completed_run(own, http)
    [item] = (await exceptions_of(own, http, [mended]))[mended]
    assert (item["status"], item["resolution"], item["occurrences"]) == ("resolved", "fixed", 2)
    await falsify(own, "DELETE FROM booking.payment WHERE booking_id = ANY($1::uuid[])", list(ids.values()))
    await falsify(own, "DELETE FROM booking.booking WHERE booking_id = ANY($1::uuid[])", list(ids.values()))


async def test_report_of_todays_prices_reads_and_writes_nothing(own: Stack) -> None:
    async def reported() -> dict[str, Any]:
        done = await own.run("reconciler", "card-report", "--json", "--since", "2026-11-10T15:00:00Z")
        assert done.exit_code == 0, done.stderr
        [row] = json.loads(done.stdout)["rows"]
        assert (row["service"], row["rate_card"]) == ("drop-in", "default/2025-01")
        return row

    [booking] = await insert_bookings(own)
    exceptions = "SELECT count(*) FROM exception"
    before = await reported(), await own.database("reconciler").fetchval(exceptions)
    await corrupt(own, booking, "total = total - 300")
    after = await reported(), await own.database("reconciler").fetchval(exceptions)
    assert after[0]["dearer"] == before[0]["dearer"] + 1
    assert after[0]["difference"]["amount"] == before[0]["difference"]["amount"] + 300
    assert after[1] == before[1]
    shown = await own.run("reconciler", "card-report")
    assert "no exception was opened" in shown.stdout
    assert shown.stderr == "", "elsewhere than on a terminal a bar leaves no empty line"


async def test_exceptions_of_what_no_run_evaluates_any_more_end_with_the_reason(
    own: Stack, http: httpx.AsyncClient
) -> None:
    cancelled, pending, deleted, kept, broken = await insert_bookings(own, 5, paid=False)
    everyone = [cancelled, pending, deleted, kept, broken]
    for booking in everyone:
        await corrupt(own, booking, "total = 15000")
    await completed_run(own, http)
    exceptions = await exceptions_of(own, http, everyone)
    assert {tuple(sorted(e["type"] for e in exceptions[booking])) for booking in everyone} == {
        ("not_charged", "pricing_drift")
    }
    reported = new_id()
    await own.database("reconciler").execute(
        "INSERT INTO reconciler.exception (id, type, severity, booking_id, fingerprint, difference, title,"
        " explanation, first_seen_at, last_seen_at)"
        " VALUES ($1, 'payment_anomaly', 'low', $2, 'f', 'd', 't', '{}', now(), now())",
        reported,
        cancelled,
    )
    await change_status(own, cancelled, "cancelled")
    await change_status(own, pending, "pending")
    await corrupt(own, broken, "pricing = '{}'")
    await delete_booking(own, deleted)
    await completed_run(own, http)

    exceptions = await exceptions_of(own, http, everyone)
    states = {
        booking: sorted((e["type"], e["status"], e["resolution"]) for e in exceptions[booking])
        for booking in everyone
    }
    ended = [(kind, "resolved", "not_evaluated") for kind in ("not_charged", "pricing_drift")]
    going_on = [(kind, "open", None) for kind in ("not_charged", "pricing_drift")]
    assert states == {
        cancelled: [ended[0], ("payment_anomaly", "open", None), ended[1]],
        pending: ended,
        deleted: ended,
        kept: going_on,
        broken: [going_on[0], ("not_evaluable", "open", None), going_on[1]],
    }
    reasons = {}
    for booking in (cancelled, pending, deleted):
        exception = next(e["id"] for e in exceptions[booking] if e["type"] == "pricing_drift")
        one = (await http.get(f"{own.url('reconciler')}/api/exceptions/{exception}")).json()
        reasons[booking] = (one["history"][-1]["actor"], one["history"][-1]["reason"])
    assert reasons == {
        cancelled: ("reconciler", "no longer evaluated: the booking is cancelled"),
        pending: ("reconciler", "no longer evaluated: the booking is pending again"),
        deleted: ("reconciler", "no longer evaluated: there is no such booking any more"),
    }


async def test_money_that_a_cancelled_booking_keeps_is_an_exception_until_it_is_refunded(
    own: Stack, http: httpx.AsyncClient
) -> None:
    late, early, drifting, unpaid = await insert_bookings(own, 4, paid=False)
    await pay(own, [late, early, drifting])
    await corrupt(own, drifting, "total = 15000")
    await completed_run(own, http)
    for booking in (late, drifting, unpaid):
        await change_status(own, booking, "cancelled", hours_ago=25)
    await change_status(own, early, "cancelled", hours_ago=23)
    await completed_run(own, http)

    exceptions = await exceptions_of(own, http, [late, early, drifting, unpaid], status="open")
    assert {booking: [e["type"] for e in items] for booking, items in exceptions.items()} == {
        late: ["cancelled_but_paid"],
        drifting: ["cancelled_but_paid"],
    }
    [item] = exceptions[late]
    assert (item["severity"], item["explanation"]["held"]) == ("high", PRICE)
    assert item["title"].startswith("Cancelled, and 132.00 USD")
    [ended] = (await exceptions_of(own, http, [drifting], status="resolved"))[drifting]
    assert (ended["type"], ended["resolution"]) == ("pricing_drift", "not_evaluated")

    await change_payments(own, late, "refunded = $2", PRICE)
    await change_payments(own, drifting, "refunded = $2", PRICE - 50)
    await completed_run(own, http)
    [item] = (await exceptions_of(own, http, [late]))[late]
    assert (item["status"], item["resolution"]) == ("resolved", "fixed")
    [item] = (await exceptions_of(own, http, [drifting], status="open"))[drifting]
    assert (item["revision"], item["severity"], item["explanation"]["held"]) == (2, "low", 50)
