"""Bookings of another system come in with their past, once, and marked (BK-15)."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from booking.commands.importing import BATCH_LINES
from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.booking.booking_calls import BookingApi, payload, payment_record

PAGE = Path(__file__).parents[3] / "docs" / "import.md"


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(own: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(own, http)


def example(name: str, **members: Any) -> dict[str, Any]:
    """Return the booking of docs/import.md under other ids."""
    found = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    return {**json.loads(found[1].replace("4711", name)), **members}


def write(path: Path, lines: Sequence[Any]) -> None:
    path.write_bytes(
        b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    )


async def imported(
    api: BookingApi, path: Path, *lines: Any, dry_run: bool = False, exit_code: int = 0
) -> dict[str, Any]:
    write(path, lines)
    flags = ["--dry-run"] if dry_run else []
    finished = await api.stack.run("booking", "import", str(path), "--json", *flags)
    assert (finished.exit_code, finished.stderr) == (exit_code, ""), finished.stdout
    return json.loads(finished.stdout)


async def booking_of(api: BookingApi, external_id: str) -> dict[str, Any]:
    booking_id = await api.stack.database("booking").fetchval(
        "SELECT booking_id FROM imported_booking WHERE external_id = $1", external_id
    )
    return await api.read(str(booking_id))


async def test_example_of_the_page_comes_in_with_its_past_once(api: BookingApi, tmp_path: Path) -> None:
    file = tmp_path / "one.ndjson"
    planned = await imported(api, file, example("a1"), dry_run=True)
    assert (planned["imported"], planned["dry_run"]) == (1, True)
    assert (await imported(api, file, example("a1")))["imported"] == 1
    again = await imported(api, file, example("a1"), example("a2"))
    assert (again["imported"], again["already_there"]) == (1, 1)

    booking = await booking_of(api, "old-a1")
    assert (booking["status"], booking["payment_status"]) == ("completed", "paid")
    history = await api.history(booking["id"])
    assert [row["changed_by"] for row in history] == ["import:web", "import:jane", "import:jane"]
    assert history[1]["reason"] == "paid by card"
    assert history[0]["metadata"] == {"imported": "true", "occurred_at": "2025-03-01T09:00:00+00:00"}
    [payment] = await api.payments(booking["id"])
    assert (payment["provider_payment_id"], payment["captured"]["amount"]) == ("pi_a1", 2500)
    assert payment["refunded"]["amount"] == 500
    events = await api.events(booking["id"], 3)
    assert [event.header("ce_type") for event in events[:3]] == [
        "booking.created",
        "booking.status-changed",
        "booking.status-changed",
    ]
    await api.publish(payment_record(booking["id"], payment_id="pi_a1", amount=2500))
    await api.settled(booking["id"])
    assert len(await api.payments(booking["id"])) == 1


async def test_lines_that_cannot_come_in_are_named_alike_by_a_dry_run(
    api: BookingApi, tmp_path: Path
) -> None:
    taken = await api.create()
    steps = example("b0")["history"]
    lines = [
        example("b1"),
        example("b1"),
        b"no json\n",
        b'{"external_id": "\xff"}\n',
        b'{"notes": "' + b"x" * 2_000_000 + b'"}\n',
        example("b2", history=[steps[0], steps[2]]),
        example("b3", history=steps[1:]),
        example("b4", id=taken["id"]),
        example("b5", total={"amount": 1, "currency": "XXQ"}),
        example("b6", totl=1),
        example("b7", pricing={"total": 2000}),
        example("jane@example.com"),
    ]
    expected = {
        2: "external_id: an earlier line",
        3: "line: no JSON",
        4: "line: no JSON",
        5: "line: longer than",
        6: "history.1.to_status: pending cannot become completed",
        7: "history.0.to_status: a history begins with pending",
        8: "id: another booking",
        9: "total.currency: expected a currency",
        10: "totl: ",
        11: "pricing: ",
        12: "external_id: expected an id",
    }
    file = tmp_path / "bad.ndjson"
    planned = await imported(api, file, *lines, dry_run=True, exit_code=1)
    done = await imported(api, file, *lines, exit_code=1)
    reasons = {refusal["line"]: refusal["reason"] for refusal in done["refusals"]}
    assert reasons.keys() == expected.keys()
    assert {n: r for n, r in reasons.items() if not r.startswith(expected[n])} == {}
    assert (done["imported"], planned["refusals"]) == (1, done["refusals"])


async def test_missing_file_is_one_line(api: BookingApi) -> None:
    finished = await api.stack.run("booking", "import", "/nowhere.ndjson")
    assert (finished.exit_code, finished.stderr.count("\n")) == (2, 1)


async def test_money_that_came_before_its_booking_counts_once_the_booking_is_there(
    api: BookingApi, tmp_path: Path
) -> None:
    booking_id = clock.new_id()
    await api.publish(payment_record(booking_id, amount=2000, payment_id="pi_early"))
    [anomaly] = await api.events(booking_id, 1)
    assert payload(anomaly)["kind"] == "booking_unknown"
    line = example("early", id=booking_id, payments=[])
    assert (await imported(api, tmp_path / "early.ndjson", line))["imported"] == 1
    assert (await api.read(booking_id))["payment_status"] == "paid"
    types = [event.header("ce_type") for event in await api.events(booking_id, 6)]
    assert "booking.payment-anomaly-resolved" in types


async def test_import_that_is_killed_half_way_makes_no_second_booking_when_it_is_run_again(
    api: BookingApi, tmp_path: Path
) -> None:
    lines_in_all, file = 1_500, tmp_path / "killed.ndjson"
    write(file, [example(f"k{number}") for number in range(lines_in_all)])
    database = api.stack.database("booking")

    async def imported_lines() -> int:
        count = "SELECT count(*) FROM imported_booking WHERE external_id LIKE 'old-k%'"
        return await database.fetchval(count)

    command = [sys.executable, "-P", "-m", "booking", "import", str(file)]
    process = await asyncio.create_subprocess_exec(*command, env=api.stack.environment(), stdout=DEVNULL)
    await eventually(imported_lines, seconds=20)
    process.kill()
    await process.wait()
    there = await imported_lines()
    # A batch is in or it is not.
    assert 0 < there < lines_in_all
    assert there % BATCH_LINES == 0

    finished = await api.stack.run("booking", "import", str(file), "--json")
    report = json.loads(finished.stdout)
    assert (report["imported"], report["already_there"]) == (lines_in_all - there, there)
    doubled = "SELECT count(*) FROM payment WHERE provider_payment_id LIKE 'pi_k%'"
    histories = """
        SELECT count(*) FROM status_transition JOIN imported_booking USING (booking_id)
        WHERE external_id LIKE 'old-k%'
    """
    assert await imported_lines() == await database.fetchval(doubled) == lines_in_all
    assert await database.fetchval(histories) == 3 * lines_in_all
