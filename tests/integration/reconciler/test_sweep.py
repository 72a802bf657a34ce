"""The Stripe sweep with real booking, audit and gateway (REC-13, F36)."""

import json
from collections.abc import AsyncGenerator, Awaitable, Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from chassis.postgres import Database
from harness import Infra, Stack, eventually, start_services
from harness.stripe_api import API_KEY, Failure, StripeApi, stripe_api
from integration.booking.booking_calls import STRIPE, BookingApi
from integration.reconciler.stripe_days import (
    EVENTS,
    INTENTS,
    REFUNDS,
    ago,
    empty_lists,
    ended_sweep,
    event_of,
    exceptions,
    intent,
    rendered_anew,
    status_of,
    sweep,
)
from reconciler.handlers.run_requests import request_due_run

LONG_AGO = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def stripe() -> Generator[StripeApi]:
    with stripe_api() as api:
        yield api


@pytest.fixture(scope="module")
async def swept_stack(infra: Infra, stripe: StripeApi) -> AsyncGenerator[Stack]:
    env = {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": stripe.url}
    services = ("webhook-gateway", "booking", "audit", "reconciler")
    async with start_services(infra, *services, env=env) as stack:
        yield stack


@pytest.fixture
def own(swept_stack: Stack, stripe: StripeApi) -> Stack:
    empty_lists(stripe)
    return swept_stack


@pytest.fixture
def api(own: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(own, http)


async def entries(own: Stack, http: httpx.AsyncClient, **filters: str) -> list[dict[str, Any]]:
    answer = await http.get(f"{own.url('audit')}/api/event-log", params=filters)
    return answer.json()["items"]


async def test_missed_event_pays_its_booking_and_its_exception_closes_itself(
    own: Stack, api: BookingApi, stripe: StripeApi, http: httpx.AsyncClient
) -> None:
    booking = await api.create()
    missed = event_of(intent(booking["id"], created=ago(days=4)))
    young = event_of(intent(booking["id"], created=ago(days=2)))
    stripe.lists[EVENTS] = [missed, young]
    stripe.lists[INTENTS] = [missed["data"]["object"]]
    dry = await sweep(own, http, since=LONG_AGO, dry_run=True)
    assert (dry["missed"], dry["pending"], len(dry["found"])) == (1, 1, 2), dry
    assert await exceptions(own, http, missed["id"]) == []
    done = await sweep(own, http, since=LONG_AGO)
    assert (done["status"], done["seen"], done["missed"], done["pending"]) == ("completed", 2, 1, 1), done
    assert done["mismatches"] == 0, done["found"]
    await api.when_paid(booking["id"])
    await eventually(lambda: _is(own, http, missed["id"], "resolved"))
    [exception] = await exceptions(own, http, missed["id"])
    assert (exception["type"], exception["booking_id"]) == ("delivery_missed", booking["id"])

    async def logged() -> list[str]:
        found = await entries(own, http, event_type="webhook.missed", booking_id=booking["id"])
        return [entry["metadata"]["event_id"] for entry in found]

    assert await eventually(logged) == [missed["id"]]
    for run, is_dry in ((dry, True), (done, False)):
        about = await eventually(lambda run=run: _about_sweep(own, http, run["id"]))
        assert about["reconciliation.sweep-requested"] == ("pending", is_dry)
        assert about["reconciliation.sweep-completed"] == ("success", is_dry)
    [delivery] = await entries(own, http, event_id=missed["id"])
    assert (delivery["source"], delivery["metadata"]["origin"]) == ("stripe", "sweep")
    again = await sweep(own, http, since=LONG_AGO)
    assert (again["known"], again["missed"]) == (1, 0)
    assert len(await logged()) == 1


async def _about_sweep(own: Stack, http: httpx.AsyncClient, sweep_id: str) -> dict[str, Any] | None:
    found = await entries(own, http, q=sweep_id)
    about = {
        entry["event_type"]: (entry["status"], entry["metadata"]["dry_run"])
        for entry in found
        if entry["metadata"].get("sweep_id") == sweep_id and "dry_run" in entry["metadata"]
    }
    return about if len(about) > 1 else None


@pytest.mark.parametrize("first", ["sweep", "delivery"])
async def test_swept_and_delivered_event_have_one_effect(
    own: Stack, api: BookingApi, stripe: StripeApi, http: httpx.AsyncClient, first: str
) -> None:
    booking = await api.create()
    listed = event_of(intent(booking["id"], created=ago(days=5)))
    delivered = rendered_anew(listed)
    stripe.lists[EVENTS] = [listed]
    if first == "sweep":
        await sweep(own, http, since=LONG_AGO)
        await api.when_paid(booking["id"])
        assert (await own.deliver.stripe(delivered)).status_code == 200
    else:
        # Booking is away: the delivery waits on its topic, and the sweep cannot know it.
        [process] = own.services("booking")
        await process.stop()
        assert (await own.deliver.stripe(delivered)).status_code == 200
        swept = await own.run("reconciler", "sweep", "--since", LONG_AGO, "--json")
        assert json.loads(swept.stdout)["missed"] == 1, swept.stderr
        await process.start()
        await api.when_paid(booking["id"])
    database = own.database("audit")

    async def renderings() -> int:
        return await database.fetchval(
            "SELECT count(*) FROM event_rendering JOIN event_log USING (entry_id) WHERE event_id = $1",
            listed["id"],
        )

    assert await eventually(renderings) == 1
    await api.settled(booking["id"])
    assert len(await api.payments(booking["id"])) == 1
    conflicts = await entries(own, http, event_type="booking.identity-conflict")
    assert [entry for entry in conflicts if listed["id"] in str(entry)] == []
    records = [r for r in await own.topic(STRIPE).records() if r.header("ce_id") == listed["id"]]
    keys = {(r.key, r.header("ce_type"), r.header("ce_subject"), r.header("ce_time")) for r in records}
    assert len(keys) == 1
    assert sorted(str(r.header("plumbline-origin")) for r in records) == ["None", "sweep"]


async def _is(own: Stack, http: httpx.AsyncClient, object_id: str, status: str) -> bool:
    return await status_of(own, http, object_id) == status


async def test_payments_that_differ_are_exceptions_until_both_sides_agree(
    own: Stack, api: BookingApi, stripe: StripeApi, http: httpx.AsyncClient
) -> None:
    ours, theirs = await api.create(), await api.create()
    paid = intent(ours["id"], created=ago(days=4))
    stripe.lists[EVENTS] = [event_of(paid)]
    stripe.lists[INTENTS] = [paid]
    await sweep(own, http, since=LONG_AGO)
    await api.when_paid(ours["id"])
    # Stripe: another amount, a payment and a refund that we do not have, and none of a payment that we have.
    unknown = intent(theirs["id"], created=ago(days=4))
    refund = {
        "id": "re_unknown",
        "object": "refund",
        "created": ago(days=2),
        "amount": 500,
        "currency": "usd",
        "status": "succeeded",
        "payment_intent": paid["id"],
    }
    stripe.lists[INTENTS] = [{**paid, "amount_received": 13300}, unknown]
    stripe.lists[REFUNDS] = [refund]
    invented = f"pi_{ours['id'].replace('-', '')}"
    await own.database("booking").execute(
        "INSERT INTO payment"
        " (payment_id, booking_id, provider, provider_payment_id, event_id, captured, currency)"
        " VALUES (uuidv7(interval '-4 days'), $1, 'stripe', $2, 'evt_0', 100, 'USD')",
        ours["id"],
        invented,
    )
    first = await sweep(own, http, since=LONG_AGO)
    kinds = {item["object_id"]: item["title"].partition("stripe: ")[2] for item in first["found"]}
    assert kinds == {
        paid["id"]: "amount differs",
        unknown["id"]: "missing here",
        "re_unknown": "missing here",
        invented: "missing at stripe",
    }
    # The next sweep reads only what is new, and looks again at what is open.
    await own.database("booking").execute("DELETE FROM payment WHERE provider_payment_id = $1", invented)
    stripe.lists[INTENTS] = [paid]
    stripe.lists[REFUNDS] = []
    second = await sweep(own, http)
    assert second["status"] == "completed", second
    for object_id in kinds:
        anomalies = await exceptions(own, http, object_id, type="payment_anomaly")
        assert {item["status"] for item in anomalies} == {"resolved"}, object_id


async def test_sweep_outlives_what_stripe_answers(
    own: Stack, api: BookingApi, stripe: StripeApi, http: httpx.AsyncClient
) -> None:
    bookings = [await api.create() for _ in range(2)]
    missed = [event_of(intent(booking["id"], created=ago(days=4))) for booking in bookings]
    noise = [event_of(intent(None, created=ago(days=1, minutes=n))) for n in range(250)]
    stripe.lists[EVENTS] = [*missed, *noise]
    stripe.failures[EVENTS] = [
        Failure(429, {"Retry-After": "1"}),
        Failure(),
        Failure(500),
        Failure(repeats=True),
        Failure(seconds=2.0),
    ]
    url = f"{own.url('reconciler')}/api/sweeps"
    tomorrow = await http.post(url, json={"since": "2099-01-01T00:00:00Z"})
    assert tomorrow.status_code == 400
    assert tomorrow.json()["detail"].startswith("since: expected a time in the past, got ")
    asked = [await http.post(url, json={"since": LONG_AGO, "dry_run": dry}) for dry in (False, True)]
    done, after_it = [await ended_sweep(own, http, answer.json()["id"]) for answer in asked]
    assert (done["status"], done["seen"], done["missed"]) == ("completed", 252, 2), done
    assert (after_it["status"], after_it["missed"]) == ("completed", 0), after_it
    assert "loop failed" not in own.services("reconciler")[0].log()
    for booking in bookings:
        await api.when_paid(booking["id"])
    assert len([r for r in await own.topic(STRIPE).records() if r.header("ce_id") == missed[0]["id"]]) == 1


async def test_event_that_was_not_applied_is_not_missed(
    own: Stack, api: BookingApi, stripe: StripeApi, http: httpx.AsyncClient
) -> None:
    # Of two bookings: a message waits behind one of its key that was set aside.
    bookings = [await api.create() for _ in range(2)]
    unreadable = event_of(intent(bookings[0]["id"], created=ago(days=4), amount_received="132.00"))
    foreign = {**event_of(intent(bookings[1]["id"], created=ago(days=4))), "livemode": True}
    received = {unreadable["id"], foreign["id"]}
    for item in (unreadable, foreign):
        assert (await own.deliver.stripe(item)).status_code == 200
    view = "SELECT event_id, outcome FROM booking.stripe_event_v1 WHERE event_id = ANY($1::text[])"
    database = own.database("booking")

    async def outcomes() -> set[str]:
        rows = await database.fetch(view, list(received), role="reconciler_booking_view")
        return {row["outcome"] for row in rows}

    await eventually(lambda: _equal(outcomes(), {"set_aside", "unapplied"}), seconds=30)
    stripe.lists[EVENTS] = [unreadable, foreign]
    done = await sweep(own, http, since=LONG_AGO)
    assert (done["known"], done["missed"]) == (2, 0), done


async def _equal(found: Awaitable[set[str]], expected: set[str]) -> bool:
    assert await found == expected
    return True


@pytest.mark.parametrize(
    ("view", "column", "tables"),
    [
        ("stripe_event_v1", "event_id", ("inbox", "money_fact", "unapplied_event", "thin_event")),
        ("stripe_payment_v1", "payment_id", ("payment",)),
        ("stripe_object_v1", "object_id", ("money_fact_object", "money_fact")),
    ],
)
async def test_views_are_read_by_index(own: Stack, view: str, column: str, tables: Sequence[str]) -> None:
    async with own.database("booking").connect("reconciler_booking_view") as connection:
        await connection.execute("SET enable_seqscan = off")
        query = f"EXPLAIN SELECT * FROM booking.{view} WHERE {column} = ANY($1::text[])"
        plan = "\n".join(row[0] for row in await connection.fetch(query, ["evt_1", "evt_2"]))
    for table in tables:
        assert f"Seq Scan on {table}" not in plan, plan


async def test_refused_key_fails_the_sweep_with_one_line(
    own: Stack, stripe: StripeApi, http: httpx.AsyncClient
) -> None:
    stripe.failures[EVENTS] = [403]
    done = await own.run("reconciler", "sweep")
    assert done.exit_code == 2
    assert "STRIPE_API_KEY may not read events (403)" in done.stderr.splitlines()[-1]
    newest = (await http.get(f"{own.url('reconciler')}/api/sweeps", params={"limit": 1})).json()["items"][0]
    assert (newest["status"], newest["trigger"]) == ("failed", "cli")


async def test_killed_sweep_goes_on_where_it_was(
    own: Stack, stripe: StripeApi, http: httpx.AsyncClient
) -> None:
    stripe.lists[EVENTS] = [event_of(intent(None, created=ago(days=1, minutes=n))) for n in range(150)]
    stripe.failures[EVENTS] = [Failure(), Failure(500)]
    asked = await http.post(f"{own.url('reconciler')}/api/sweeps", json={"since": LONG_AGO})
    sweep_id = asked.json()["id"]

    async def has_read_a_page() -> bool:
        answer = await http.get(f"{own.url('reconciler')}/api/sweeps/{sweep_id}")
        return answer.json()["seen"] == 100

    await eventually(has_read_a_page)
    process = own.services("reconciler")[0]
    await process.kill()
    await process.start()
    done = await ended_sweep(own, http, sweep_id)
    assert (done["status"], done["seen"], done["error"]) == ("completed", 150, None), done


async def test_failed_sweep_is_tried_again_and_a_slot_is_swept_once(own: Stack) -> None:
    database = own.database("reconciler")

    async def completed(*triggers: str) -> bool:
        rows = await database.fetch("SELECT trigger FROM sweep WHERE status = 'completed' ORDER BY trigger")
        assert [row["trigger"] for row in rows if row["trigger"] in {"retry", "schedule"}] == list(triggers)
        return True

    await database.execute(
        "INSERT INTO sweep (id, status, trigger, requested_by, requested_at, is_dry_run, finished_at)"
        " VALUES (uuidv7(), 'failed', 'api', 'x', now(), false, now() - interval '2 hours')"
    )
    await eventually(lambda: completed("retry"), seconds=30)
    # As if the schedule had been in force for long: a process that starts makes up for the latest slot.
    await database.execute("UPDATE schedule SET in_force_since = now() - interval '2 days'")
    process = own.services("reconciler")[0]
    for _ in range(2):
        await process.stop()
        await process.start()
        await eventually(lambda: completed("retry", "schedule"), seconds=30)


async def test_skipped_slots_of_runs_become_one_entry(own: Stack, http: httpx.AsyncClient) -> None:
    database = Database(own.database("reconciler").dsn("reconciler"), application_name="slots")
    await database.start()
    try:
        requested = await request_due_run(
            database,
            "30 5 * * *",
            ZoneInfo("UTC"),
            checked_until=datetime(2020, 3, 10, 12, tzinfo=UTC),
            now=datetime(2020, 3, 13, 12, tzinfo=UTC),
            lateness=timedelta(hours=1),
        )
    finally:
        await database.stop()
    assert requested is None

    async def recorded() -> list[dict[str, Any]]:
        # The schedule of this stack may have skipped slots of its own.
        skipped = await entries(own, http, event_type="reconciliation.slots-skipped")
        return [each for each in skipped if each["metadata"]["first_slot"] == "2020-03-11T05:30:00Z"]

    [entry] = await eventually(recorded, seconds=60)
    slots = {"last_slot": "2020-03-13T05:30:00Z", "slots": 3}
    assert (entry["status"], entry["source"]) == ("skipped", "reconciler")
    assert slots.items() <= entry["metadata"].items()


async def test_without_a_key_there_is_no_sweep(own: Stack, http: httpx.AsyncClient) -> None:
    keyless = await own.start("reconciler", env={"STRIPE_API_KEY": ""})
    try:
        report = (await http.get(keyless.ready_url)).json()
        assert report["checks"]["stripe sweep"] == {"ok": True, "detail": "off"}
        refused = await http.post(f"{keyless.url}/api/sweeps")
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "sweep-off")
    finally:
        await keyless.stop()
