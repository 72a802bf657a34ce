"""A row that was changed behind a service is marked in every list, and the others are shown."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx
import pytest

from chassis.clock import new_id
from harness import Infra, Stack, start_services
from integration.booking.booking_calls import BookingApi
from integration.reconciler.reconciler_bookings import completed_run, corrupt, insert_bookings

NO_CALENDAR = "'20000-01-01'"
_NOT_NULL = """
SELECT attribute.attname FROM pg_attribute AS attribute
WHERE attribute.attrelid = $1::regclass AND attribute.attnotnull AND attribute.attnum > 0
    AND attribute.attidentity = '' AND NOT EXISTS (
        SELECT FROM pg_index WHERE indrelid = attribute.attrelid AND indisprimary
            AND attribute.attnum = ANY(indkey)
    )
"""
_CHECKS = "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c'"


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking", "audit", "reconciler") as stack:
        for service, tables in {
            "booking": ("booking", "payment", "status_transition", "dead_letter"),
            "audit": ("event_log", "status_history"),
            "reconciler": ("exception", "exception_event", "run", "run_sum"),
        }.items():
            async with stack.database(service).connect() as connection:
                for table in (f"{service}.{name}" for name in tables):
                    for row in await connection.fetch(_CHECKS, table):
                        await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{row[0]}"')
                    for row in await connection.fetch(_NOT_NULL, table):
                        await connection.execute(f'ALTER TABLE {table} ALTER "{row[0]}" DROP NOT NULL')
        yield stack


async def walked(http: httpx.AsyncClient, url: str, member: str = "items", limit: int = 2) -> list[Any]:
    """All items of a list, page by page."""
    items: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(40):
        response = await http.get(url, params={"limit": limit, **cursor})
        assert response.status_code == 200, response.text
        items += response.json()[member]
        if response.json()["next_cursor"] is None:
            return items
        cursor = {"cursor": response.json()["next_cursor"]}
    raise AssertionError(f"{url} has no end")


def assert_marked(items: list[Any], broken: Mapping[str, str], good: set[str], key: str = "id") -> None:
    """Each broken one is marked, by its id and with a word that helps; the good ones are whole."""
    marks = {str(item[key]): item["unreadable"] for item in items if "unreadable" in item}
    assert marks.keys() == broken.keys()
    assert {name: word for name, word in broken.items() if word.lower() not in marks[name].lower()} == {}, (
        marks
    )
    assert good <= {str(item[key]) for item in items if "unreadable" not in item}


async def assert_problem(http: httpx.AsyncClient, url: str) -> None:
    response = await http.get(url)
    assert response.status_code == 500, response.text
    assert response.json()["type"] == "urn:plumbline:problem:stored-row-unreadable"
    assert "restore it from a backup" in response.json()["detail"]


async def test_bookings_payments_and_histories(own: Stack, http: httpx.AsyncClient) -> None:
    changes = {
        "status = 'paid!'": "paid!",
        f"confirmed_at = {NO_CALENDAR}": "out of range",
        "client_name = NULL": "client.name",
        "pricing = '[1]'": "pricing",
        "total = NULL": "NULL",
        "pets = '{\"a\": 1}'": "another type",
        "version = NULL": "NULL",
    }
    ids = await insert_bookings(own, len(changes) + 2)
    broken = dict(zip(ids, changes.values(), strict=False))
    for booking, change in zip(ids, changes, strict=False):
        await corrupt(own, booking, change)
    url = f"{own.url('booking')}/api/bookings"
    assert_marked(await walked(http, url), broken, set(ids[-2:]))
    assert_marked(await walked(http, url, limit=500), broken, set(ids[-2:]))
    for booking in broken:
        await assert_problem(http, f"{url}/{booking}")
    refused = await http.patch(f"{url}/{ids[0]}", json={"status": "cancelled"})
    assert refused.json()["type"] == "urn:plumbline:problem:stored-row-unreadable"

    booking, database = ids[-1], own.database("booking")
    insert = (
        "INSERT INTO booking.payment (booking_id, provider, provider_payment_id, event_id, captured,"
        " currency, anomaly, recorded_at) VALUES ($1, 'stripe', $2, 'e', {}) RETURNING payment_id"
    )
    values = {"1, 'USD', 'no such', now()": "no such", "NULL, 'USD', NULL, now()": "NULL"}
    values[f"1, 'USD', NULL, {NO_CALENDAR}"] = "out of range"
    marks = {
        str(await database.fetchval(insert.format(value), booking, new_id())): word
        for value, word in values.items()
    }
    assert_marked(await walked(http, f"{url}/{booking}/payments"), marks, set())
    transition = (
        "INSERT INTO booking.status_transition (booking_id, version, from_status, to_status, changed_by,"
        " metadata) VALUES ($1, $2, $3, $4, 'x', $5) RETURNING transition_id"
    )
    good = str((await http.get(f"{url}/{booking}/status-history")).json()["history"][0]["id"])
    async with database.without_triggers("booking.status_transition") as connection:
        marks = {
            str(await connection.fetchval(transition, booking, 3, "pending", "paid!", "{}")): "paid!",
            str(await connection.fetchval(transition, booking, 4, "pending", "confirmed", "[]")): "metadata",
        }
    history = (await http.get(f"{url}/{booking}/status-history")).json()["history"]
    assert_marked(history, marks, {good})


async def test_exceptions_and_runs(own: Stack, http: httpx.AsyncClient) -> None:
    changes = {
        "explanation = '[]'": "explanation",
        "severity = 'dire', title = NULL": "title",
        f"last_seen_at = {NO_CALENDAR}": "out of range",
        "first_seen_at = NULL": "NULL",
        "type = NULL": "type",
    }
    ids = await insert_bookings(own, len(changes) + 1)
    for booking in ids:
        await corrupt(own, booking, "total = 15000")
    run = (await completed_run(own, http))["id"]
    database = own.database("reconciler")
    by_booking = {
        row["booking_id"]: str(row["id"])
        for row in await database.fetch("SELECT id, booking_id FROM reconciler.exception")
    }
    broken = {by_booking[booking]: word for booking, word in zip(ids, changes.values(), strict=False)}
    for exception, change in zip(broken, changes, strict=True):
        await database.execute(f"UPDATE reconciler.exception SET {change} WHERE id = $1", exception)
    good, unplaced = by_booking[ids[-1]], by_booking[ids[3]]
    await database.execute(
        "INSERT INTO reconciler.exception_event (exception_id, kind, revision, actor, reason, explanation)"
        " VALUES ($1, 'revised', 2, 'x', 'y', '7')",
        good,
    )
    url = f"{own.url('reconciler')}/api/exceptions"
    # A row without its place in the order is on the first page that reaches its end, and on no other.
    assert_marked(await walked(http, url, "exceptions", limit=500), broken, {good})
    assert await marked_by(own, "exceptions", "exceptions") == broken.keys()
    del broken[unplaced]
    assert_marked(await walked(http, url, "exceptions"), broken, {good})
    for exception in (*broken, unplaced):
        await assert_problem(http, f"{url}/{exception}")
    history = (await http.get(f"{url}/{good}")).json()["history"]
    assert ["unreadable" in step for step in history] == [False, True]

    await database.execute(
        "INSERT INTO reconciler.run_sum (run_id, currency, snapshot, recomputed, charged)"
        " VALUES ($1, 'EUR', 'NaN', 1, 1)",
        run,
    )
    whole = (await completed_run(own, http))["id"]
    runs = f"{own.url('reconciler')}/api/reconciliation/runs"
    assert_marked(await walked(http, runs, limit=1), {run: "NaN"}, {whole})
    await assert_problem(http, f"{runs}/{run}")
    assert await marked_by(own, "runs", "items") == {run}


async def marked_by(own: Stack, command: str, member: str) -> set[str]:
    """The ids that a command of the reconciler marks, in its table and in its JSON alike."""
    table, listed = await own.run("reconciler", command), await own.run("reconciler", command, "--json")
    assert (table.exit_code, listed.exit_code) == (0, 0), table.stderr + listed.stderr
    marked = {item["id"] for item in json.loads(listed.stdout)[member] if "unreadable" in item}
    assert [name for name in marked if name not in table.stdout] == [], table.stdout
    return marked


async def test_event_log_and_its_histories(own: Stack, http: httpx.AsyncClient) -> None:
    database = own.database("audit")
    booking, source = new_id(), f"test-{new_id()}"
    insert = (
        "INSERT INTO audit.event_log (source, event_id, booking_id, status, event_type, metadata,"
        " occurred_at, topic, partition, record_offset, payload_digest)"
        " VALUES ($1, $2, $3, 'success', {}, 't', 0, 1, decode(repeat('00', 32), 'hex')) RETURNING entry_id"
    )
    values = {
        "'x', '{}', now()": "",
        "NULL, '{}', now()": "event_type",
        "'x', '[]', now()": "object",
        f"'x', '{{}}', {NO_CALENDAR}": "out of range",
        "'y', '{}', now()": "",
    }
    entries = {
        str(await database.fetchval(insert.format(value), source, new_id(), booking)): word
        for value, word in values.items()
    }
    broken = {entry: word for entry, word in entries.items() if word}
    good = entries.keys() - broken.keys()
    url = f"{own.url('audit')}/api/event-log"
    listed = await http.get(url, params={"source": source})
    assert_marked(listed.json()["items"], broken, set(good), key="entry_id")
    export = await http.get(url, params={"source": source, "format": "ndjson"})
    lines = [json.loads(line) for line in export.text.splitlines()]
    assert_marked(lines, broken, set(good), key="entry_id")
    for entry in broken:
        await assert_problem(http, f"{url}/{entry}")
    command = await own.run("audit", "export", "--source", source)
    exported = [json.loads(line) for line in command.stdout.splitlines()]
    # An entry may be sealed between the two questions.
    assert [line | {"leaf_index": None} for line in exported] == [
        line | {"leaf_index": None} for line in lines
    ]

    transition = (
        "INSERT INTO audit.status_history (booking_id, version, from_status, to_status, changed_by,"
        " recorded_at, entry_id) VALUES ($1, $2, NULL, $3, 'x', {}, $4)"
    )
    for version, (entry, at, status) in enumerate(
        zip(entries, ("now()", NO_CALENDAR, "now()"), ("pending", "confirmed", None), strict=False), start=1
    ):
        await database.execute(transition.format(at), booking, version, status, int(entry))
    history = (await http.get(f"{own.url('audit')}/api/bookings/{booking}/history")).json()["history"]
    assert_marked(history, {"2": "out of range", "3": "to_status"}, {"1"}, key="version")


async def test_dead_letters(own: Stack, http: httpx.AsyncClient) -> None:
    database = own.database("booking")
    insert = (
        "INSERT INTO booking.dead_letter (dead_letter_id, consumer, topic, partition, record_offset, key,"
        " value, headers, reason, error, attempts, set_aside_at)"
        " VALUES ($1, 'booking', 't', 0, $2, 'k', 'v', {}, 'bug', {}, 1, {})"
    )
    values = [
        ("'[]'", "'e'", "now()", ""),
        ("'no JSON'", "'e'", "now()", "malformed"),
        ("'[]'", "NULL", "now()", "error"),
        ("'[]'", "'e'", NO_CALENDAR, "out of range"),
    ]
    letters: dict[str, str] = {}
    for offset, (headers, error, at, word) in enumerate(values):
        letter = new_id()
        await database.execute(insert.format(headers, error, at), letter, offset)
        letters[letter] = word
    broken = {letter: word for letter, word in letters.items() if word}
    url = f"{own.url('booking')}/api/dead-letters"
    assert_marked(await walked(http, url), broken, letters.keys() - broken.keys())
    table = await own.run("booking", "dead-letters", "list")
    assert table.exit_code == 0, table.stderr
    assert all(letter in table.stdout for letter in letters)

    no_json = next(letter for letter, word in broken.items() if word == "malformed")
    request = {"selection": {"topic": "t"}, "reason": "a test"}
    discarded = (await http.post(f"{url}/discard", json=request)).json()
    assert (discarded["discarded"], discarded["waiting"]) == (2, 2), "the time is after the request"
    assert [failure["id"] for failure in discarded["failures"]] == [no_json]
    again = await own.run("booking", "dead-letters", "discard", "--topic", "t", "--reason", "a test")
    assert (again.exit_code, again.stdout.splitlines()[0]) == (1, "discarded: 0")
    assert again.stdout.splitlines()[1].startswith(f"{no_json} was not discarded: ")


async def test_booking_of_the_service_itself_is_whole(own: Stack, http: httpx.AsyncClient) -> None:
    api = BookingApi(own, http)
    booking = await api.create()
    assert (await api.read(booking["id"]))["id"] == booking["id"]
    assert all("unreadable" not in step for step in await api.history(booking["id"]))
