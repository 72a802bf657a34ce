"""The commands `reconciler exceptions …`: the queue on a terminal."""

import csv
import json
from collections.abc import AsyncGenerator

import httpx
import pytest

from harness import Infra, Stack, start_services
from integration.reconciler.reconciler_bookings import (
    completed_run,
    corrupt,
    exceptions_of,
    insert_bookings,
)


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        yield stack


async def test_person_works_two_exceptions_off(own: Stack, http: httpx.AsyncClient) -> None:
    bookings = await insert_bookings(own, 2)
    for booking in bookings:
        await corrupt(own, booking, "total = total + 700")
    await completed_run(own, http)
    found = await exceptions_of(own, http, bookings)
    first, second = (found[booking][0]["id"][-8:] for booking in bookings)

    table = await own.run("reconciler", "exceptions", "--type", "pricing_drift")
    assert (table.exit_code, table.stderr) == (0, "")
    assert first in table.stdout
    assert second in table.stdout
    exported = await own.run("reconciler", "exceptions", "--booking", bookings[0], "--csv")
    [row] = csv.DictReader(exported.stdout.splitlines())
    assert (row["booking_id"], row["amount"], row["currency"]) == (bookings[0], "-700", "USD")
    shown = await own.run("reconciler", "exceptions", "show", first)
    assert bookings[0] in shown.stdout
    for text in ("139.00 USD", "132.00 USD", "opened"):
        assert text in shown.stdout, shown.stdout

    taken = await own.run("reconciler", "exceptions", "acknowledge", first, second, "--by", "ana")
    assert (taken.exit_code, taken.stdout.count("acknowledged")) == (0, 2)
    ended = await own.run(
        "reconciler",
        "exceptions",
        "resolve",
        first,
        "--as",
        "fixed",
        "--reason",
        "r",
        "--by",
        "ana",
        "--json",
    )
    [item] = json.loads(ended.stdout)["items"]
    assert (item["status"], item["history"][-1]["actor"]) == ("resolved", "ana")
    left = await own.run("reconciler", "exceptions", "--type", "pricing_drift")
    assert first not in left.stdout, "the queue is what is left to do"
    assert second in left.stdout
    done = await own.run("reconciler", "exceptions", "--booking", bookings[0], "--status", "resolved")
    assert first in done.stdout

    proposing = {"RECONCILER_SECOND_PERSON_ABOVE": "699"}
    resolve = ("exceptions", "resolve", second, "--as", "accepted", "--reason", "r", "--by", "ana")
    proposed = await own.run("reconciler", *resolve, env=proposing)
    assert (
        "acknowledged, proposed accepted by ana; another person has to resolve it so too" in proposed.stdout
    )

    refused = await own.run("reconciler", "exceptions", "acknowledge", first, "nowhere0", "--by", "bo")
    assert refused.exit_code == 1, "one answer no is the command's answer"
    assert "ana resolved it as fixed" in refused.stdout
    assert "there is no exception whose id is or ends with 'nowhere0'" in refused.stdout
