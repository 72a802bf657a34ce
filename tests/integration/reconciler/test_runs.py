"""Runs by API, CLI and command message: their findings, each once."""

import json
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest

from chassis.clock import new_id, now
from contracts.metadata import MessageMetadata
from harness import Infra, Record, Stack, eventually, start_services
from integration.reconciler.reconciler_bookings import (
    PRICE,
    completed_run,
    corrupt,
    ended_run,
    events_about,
    exceptions_of,
    insert_bookings,
    pay,
    request_run,
    types,
)
from reconciler.domain.runs import run_id_of_slot

OPENED = ["reconciliation.drift-detected", "reconciliation.exception-opened"]


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        yield stack


async def test_seeded_corruptions_are_found_and_nothing_else(own: Stack, http: httpx.AsyncClient) -> None:
    ids = await insert_bookings(own, 8)
    await corrupt(own, ids[0], "total = total + 1001")
    await corrupt(own, ids[1], "total = total - 2")
    await corrupt(own, ids[2], "total = total + 1")
    await corrupt(own, ids[3], "pricing = jsonb_set(pricing, '{line_items,0,amount}', '101')")
    await corrupt(own, ids[4], "pricing = jsonb_set(pricing, '{inputs,pets}', '4')")
    await pay(own, [ids[5]], number=2)
    await pay(own, [ids[6]], captured=500, currency="EUR", number=2)
    await completed_run(own, http)
    exceptions = await exceptions_of(own, http, ids)
    assert {
        ids.index(key): [(item["type"], item["class"]) for item in items] for key, items in exceptions.items()
    } == {
        0: [("pricing_drift", "snapshot_corrupt")],
        1: [("pricing_drift", "snapshot_corrupt")],
        3: [("pricing_drift", "snapshot_corrupt")],
        4: [("pricing_drift", "engine_drift")],
        5: [("duplicate_charge", None)],
        6: [("currency_mismatch", None)],
    }
    assert [exceptions[ids[index]][0]["severity"] for index in (0, 1, 4)] == ["high", "low", "high"]


async def test_exception_explains_itself_and_is_announced(own: Stack, http: httpx.AsyncClient) -> None:
    [booking] = await insert_bookings(own)
    await corrupt(own, booking, "total = 15000")
    run = await completed_run(own, http)
    [item] = (await exceptions_of(own, http, [booking]))[booking]
    explanation = item["explanation"]
    assert explanation["totals"] == {"snapshot": 15000, "recomputed": PRICE, "charged": PRICE}
    assert sum(line["difference"] for line in explanation["lines"]) == PRICE - 15000
    assert (item["status"], item["occurrences"], item["revision"], item["assignee"]) == ("open", 1, 1, None)
    records = await eventually(lambda: events_about(own, booking))
    assert types(records) == OPENED
    drift = json.loads(records[0].value or b"")
    assert drift["drift"] == {"amount": PRICE - 15000, "currency": "USD"}
    assert records[0].header("ce_correlationid") == run["id"]
    one = await http.get(f"{own.url('reconciler')}/api/exceptions/{item['id']}")
    assert [step["kind"] for step in one.json()["history"]] == ["opened"]


async def test_run_counts_and_announces_itself(own: Stack, http: httpx.AsyncClient) -> None:
    pending = await insert_bookings(own, 2, status="pending")
    cancelled = await insert_bookings(own, 2, status="cancelled")
    [completed] = await insert_bookings(own, status="completed")
    before = await completed_run(own, http)
    for booking in (*pending, *cancelled, completed):
        await corrupt(own, booking, "total = 1")
    run = await completed_run(own, http)
    assert run["scanned"] == before["scanned"]
    assert run["drifted"] == before["drifted"] + 1
    assert run["sums"]["USD"]["drift"] == before["sums"]["USD"]["drift"] + PRICE - 1
    assert list(await exceptions_of(own, http, [*pending, *cancelled, completed])) == [completed]

    async def announced() -> bool:
        return types(await events_about(own, run["id"])) == [
            "reconciliation.run-started",
            "reconciliation.run-completed",
        ]

    assert await eventually(announced)


async def test_second_run_raises_occurrences_only(own: Stack, http: httpx.AsyncClient) -> None:
    [booking] = await insert_bookings(own)
    await corrupt(own, booking, "total = 15000")
    await completed_run(own, http)
    [first] = (await exceptions_of(own, http, [booking]))[booking]
    await completed_run(own, http)
    [second] = (await exceptions_of(own, http, [booking]))[booking]
    assert (second["id"], second["occurrences"], second["revision"]) == (first["id"], 2, 1)
    assert second["first_seen_at"] == first["first_seen_at"] < second["last_seen_at"]
    assert types(await events_about(own, booking)) == OPENED


async def test_changed_difference_is_a_revision(own: Stack, http: httpx.AsyncClient) -> None:
    [booking] = await insert_bookings(own)
    await corrupt(own, booking, "total = 13250")
    await completed_run(own, http)
    await corrupt(own, booking, "total = 20000")
    await completed_run(own, http)
    [item] = (await exceptions_of(own, http, [booking]))[booking]
    assert (item["revision"], item["occurrences"], item["severity"]) == (2, 2, "high")
    one = await http.get(f"{own.url('reconciler')}/api/exceptions/{item['id']}")
    steps = [(step["kind"], step["explanation"]["totals"]["snapshot"]) for step in one.json()["history"]]
    assert steps == [("opened", 13250), ("revised", 20000)]


async def test_booking_found_clean_resolves_its_exception(own: Stack, http: httpx.AsyncClient) -> None:
    fixed, broken = await insert_bookings(own, 2)
    for booking in (fixed, broken):
        await corrupt(own, booking, "total = 15000")
    await completed_run(own, http)
    await corrupt(own, fixed, "total = $2", PRICE)
    await completed_run(own, http)
    exceptions = await exceptions_of(own, http, [fixed, broken])
    assert [item["status"] for item in exceptions[fixed]] == ["resolved"]
    assert [item["resolution"] for item in exceptions[fixed]] == ["fixed"]
    assert [item["status"] for item in exceptions[broken]] == ["open"]
    assert list(await exceptions_of(own, http, [fixed, broken], status="open")) == [broken]
    await corrupt(own, fixed, "total = 15000")
    await completed_run(own, http)
    again = (await exceptions_of(own, http, [fixed]))[fixed]
    assert [item["status"] for item in again] == ["open"], "the same exception comes back"
    detail = (await http.get(f"{own.url('reconciler')}/api/exceptions/{again[0]['id']}")).json()
    assert [entry["kind"] for entry in detail["history"]] == ["opened", "resolved", "regressed"]

    async def announced() -> bool:
        resolved = "reconciliation.exception-resolved"
        back = ["reconciliation.drift-detected", "reconciliation.exception-changed"]
        return types(await events_about(own, fixed)) == [*OPENED, resolved, *back]

    assert await eventually(announced)


async def test_ten_runs_at_once_open_nothing_twice(own: Stack, http: httpx.AsyncClient) -> None:
    ids = await insert_bookings(own, 5)
    for booking in ids:
        await corrupt(own, booking, "total = 15000")
    requested = [await request_run(own, http) for _ in range(10)]
    runs = [await ended_run(own, http, run["id"]) for run in requested]
    assert {run["status"] for run in runs} == {"completed"}
    exceptions = await exceptions_of(own, http, ids)
    assert {key: [item["occurrences"] for item in items] for key, items in exceptions.items()} == {
        booking: [10] for booking in ids
    }


async def test_unpaid_booking_is_flagged_after_the_grace_time(own: Stack, http: httpx.AsyncClient) -> None:
    late, early = await insert_bookings(own, 2, paid=False)
    await corrupt(own, early, "confirmed_at = now()")
    await completed_run(own, http)
    exceptions = await exceptions_of(own, http, [late, early])
    assert {key: [item["type"] for item in items] for key, items in exceptions.items()} == {
        late: ["not_charged"]
    }


async def test_booking_that_cannot_be_evaluated_costs_only_itself(
    own: Stack, http: httpx.AsyncClient
) -> None:
    unreadable, drifted = await insert_bookings(own, 2)
    await corrupt(own, drifted, "total = 15000")
    await completed_run(own, http)
    await corrupt(own, unreadable, 'pricing = \'{"total": "a lot"}\'')
    await corrupt(own, drifted, "pricing = '[]'")
    run = await completed_run(own, http)
    assert run["errored"] >= 2
    exceptions = await exceptions_of(own, http, [unreadable, drifted])
    assert {key: sorted(item["type"] for item in items) for key, items in exceptions.items()} == {
        unreadable: ["not_evaluable"],
        drifted: ["not_evaluable", "pricing_drift"],
    }
    assert {item["status"] for items in exceptions.values() for item in items} == {"open"}

    async def announced() -> bool:
        opened = "reconciliation.exception-opened"
        return types(await events_about(own, unreadable)) == [opened, "reconciliation.booking-errored"]

    assert await eventually(announced)


async def test_same_idempotency_key_is_one_run(own: Stack, http: httpx.AsyncClient) -> None:
    key = new_id()
    first = await request_run(own, http, **{"Idempotency-Key": key})
    second = await request_run(own, http, **{"Idempotency-Key": key})
    other = await request_run(own, http, **{"Idempotency-Key": new_id()})
    assert (first, first["id"] != other["id"]) == (second, True)
    # Both end here, so that neither scans the bookings of a later test.
    assert (await ended_run(own, http, first["id"]))["trigger"] == "api"
    assert (await ended_run(own, http, other["id"]))["trigger"] == "api"


async def test_command_line_runs_lists_and_fails_on_drift(own: Stack) -> None:
    [booking] = await insert_bookings(own)
    await corrupt(own, booking, "total = 15000")
    done = await own.run("reconciler", "run", "--fail-on-drift", "--json")
    assert (done.exit_code, done.stderr) == (1, "")
    run = json.loads(done.stdout)
    assert (run["status"], run["trigger"]) == ("completed", "cli")
    waited = await own.run("reconciler", "run", "--wait")
    assert waited.exit_code == 0
    assert "completed" in waited.stdout
    listed = json.loads((await own.run("reconciler", "runs", "--json")).stdout)
    assert run["id"] in [item["id"] for item in listed["items"]]
    queue = await own.run("reconciler", "exceptions", "--json", "--limit", "500")
    assert booking in [item["booking_id"] for item in json.loads(queue.stdout)["exceptions"]]
    refused = await own.run("reconciler", "exceptions", "--severity", "awful")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)


async def test_dry_run_is_shown_over_http_and_by_the_command_line(
    own: Stack, http: httpx.AsyncClient
) -> None:
    [booking] = await insert_bookings(own)
    await corrupt(own, booking, "total = 15000")
    scope = f"booking:{booking}"
    requested = await request_run(own, http, {"scope": scope, "dry_run": True})
    run = await ended_run(own, http, requested["id"])
    assert (run["status"], run["scope"], run["dry_run"]) == ("completed", scope, True)
    assert (run["scanned"], run["progress"]["estimated_percent"]) == (1, 100)
    runs = f"{own.url('reconciler')}/api/reconciliation/runs"
    answer = (await http.get(f"{runs}/{run['id']}/findings")).json()
    [finding] = answer["items"]
    assert (finding["booking_id"], finding["type"], finding["exception_id"]) == (
        booking,
        "pricing_drift",
        None,
    )
    assert answer["summary"]["total"] == 1
    assert await exceptions_of(own, http, [booking]) == {}

    done = await own.run("reconciler", "run", "--dry-run", "--scope", scope, "--fail-on-drift", "--json")
    shown = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (1, "")
    assert [item["booking_id"] for item in shown["findings"]["items"]] == [booking]
    table = await own.run("reconciler", "findings", shown["id"])
    assert booking in table.stdout
    assert await exceptions_of(own, http, [booking]) == {}

    real = await ended_run(own, http, (await request_run(own, http, {"scope": scope}))["id"])
    assert [len(each) for each in (await exceptions_of(own, http, [booking])).values()] == [1]
    refused = await http.get(f"{runs}/{real['id']}/findings")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:plumbline:problem:no-dry-run")
    ended = await http.post(f"{runs}/{real['id']}/cancel")
    assert (ended.status_code, ended.json()["type"]) == (409, "urn:plumbline:problem:run-ended")
    assert f"has completed at {real['finished_at'][:19]}Z" in ended.json()["detail"]
    cancelled = await own.run("reconciler", "cancel", real["id"])
    assert (cancelled.exit_code, len(cancelled.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("scope", ["", "everything", "booking:7", "month:2026-13", "since:yesterday"])
async def test_unknown_scope_is_refused(own: Stack, http: httpx.AsyncClient, scope: str) -> None:
    url = f"{own.url('reconciler')}/api/reconciliation/runs"
    response = await http.post(url, json={"scope": scope})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "scope"


def command(run_id: str, *, slot: datetime | None = None, source: str = "reconciler") -> Record:
    """Return a command without a row."""
    payload = {
        "run_id": run_id,
        "trigger": "api" if slot is None else "schedule",
        "slot": slot.isoformat() if slot else None,
        "requested_by": "somebody",
        "requested_at": "2026-11-23T08:00:00Z",
    }
    metadata = MessageMetadata(id=new_id(), source=source, type="reconciliation.run-requested")
    return Record(json.dumps(payload).encode(), run_id.encode(), metadata.to_headers())


async def test_command_cannot_take_the_run_of_a_slot_to_come(own: Stack, http: httpx.AsyncClient) -> None:
    coming = now().replace(microsecond=0) + timedelta(hours=3)
    taken = run_id_of_slot(coming)
    topic = own.topic("reconciliation.commands.v1")
    forged = [
        command(taken),  # the id alone
        command(taken, slot=coming),  # the slot itself, before its time
        command(taken, slot=coming - timedelta(days=1)),  # an earlier slot under the id of the coming one
        command(new_id(), source="elsewhere"),
    ]
    await topic.publish_all(forged)
    database = own.database("reconciler")

    async def kept() -> bool:
        sql = "SELECT count(*) FROM dead_letter WHERE reason = 'out_of_place' AND key = ANY($1)"
        return await database.fetchval(sql, [record.key for record in forged]) == len(forged)

    await eventually(kept)
    assert await database.fetch("SELECT id FROM run WHERE id = $1", UUID(taken)) == []
    # Its own command, which comes with the row, is not held up behind them.
    await database.execute(
        "INSERT INTO run (id, trigger, slot, requested_by, requested_at)"
        " VALUES ($1, 'schedule', $2, 'schedule', now())",
        UUID(taken),
        coming,
    )
    await topic.publish_all([command(taken, slot=coming)])
    assert (await ended_run(own, http, taken))["trigger"] == "schedule"


async def test_command_message_without_a_row_of_ours_is_a_run(own: Stack, http: httpx.AsyncClient) -> None:
    run_id = new_id()
    topic = own.topic("reconciliation.commands.v1")
    sent = command(run_id)
    await topic.publish_all([sent, sent])

    async def there() -> bool:
        response = await http.get(f"{own.url('reconciler')}/api/reconciliation/runs/{run_id}")
        return response.status_code == 200

    await eventually(there)
    run = await ended_run(own, http, run_id)
    assert (run["status"], run["requested_by"]) == ("completed", "somebody")
