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


async def test_person_works_a_cause_off_and_takes_it_back(own: Stack, http: httpx.AsyncClient) -> None:
    bookings = await insert_bookings(own, 3)
    for booking in bookings:
        await corrupt(own, booking, "total = total + 1100")
    await completed_run(own, http)
    found = await exceptions_of(own, http, bookings)
    [cause] = {found[booking][0]["cause"] for booking in bookings}
    one_cause = ("--where", f"cause={cause}", "--where", "type=pricing_drift")

    groups = await own.run("reconciler", "exceptions", "groups", "--where", f"booking_id={bookings[0]}")
    assert cause in groups.stdout
    assert "-11.00 USD" in groups.stdout

    first = found[bookings[0]][0]["id"]
    await own.run(
        "reconciler", "exceptions", "resolve", first, "--as", "fixed", "--reason", "r", "--by", "bo"
    )
    plan = (
        "operations",
        "plan",
        "resolve",
        "--as",
        "written_off",
        "--reason",
        "r",
        "--by",
        "ana",
        *one_cause,
    )
    planned = json.loads((await own.run("reconciler", *plan, "--json")).stdout)
    shown = await own.run("reconciler", *plan)
    assert (shown.exit_code, shown.stderr) == (0, "")
    outcomes = planned["plan"]["outcomes"]
    assert f"{outcomes['stepped']} would take the step" in shown.stdout
    assert outcomes["refused"] >= 1, "it is resolved"
    apply = shown.stdout.splitlines()[-1].split()[1:]
    assert apply[:2] == ["operations", "apply"]

    other = ["9999" if word == str(planned["count"]) else word for word in apply]
    wrong = await own.run("reconciler", *other)
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert f"--expect: 9999 expected, {planned['count']} selected now" in wrong.stderr
    applied = await own.run("reconciler", *apply, "--json")
    assert applied.exit_code == 1, "a step was refused"
    done = json.loads(applied.stdout)
    assert (done["status"], done["outcomes"]["stepped"]) == ("applied", outcomes["stepped"])
    assert first in [each["exception_id"] for each in done["items"]]

    back = ("operations", "revert", done["id"], "--reason", "wrong cause", "--by", "ana")
    assert "reverted" in (await own.run("reconciler", *back)).stdout
    after = await exceptions_of(own, http, bookings)
    assert sorted(after[booking][0]["status"] for booking in bookings) == ["open", "open", "resolved"]


async def test_plan_says_which_option_is_wrong(own: Stack) -> None:
    plan = ("operations", "plan")
    for words, sentence in {
        ("resolve", "--where", "status=open", "--reason", "r"): "--as: missing",
        ("assign", "--where", "status=open", "--up-to", "3"): "--up-to: not an argument of assign",
        ("close", "--where", "status=open"): "choose one of acknowledge, assign",
        ("acknowledge", "--where", "stat=open"): "--where stat: unknown member",
        ("acknowledge", "--where", "severity=huge"): "--where severity: 'huge' is unknown",
        ("acknowledge", "--where", "open"): "expected MEMBER=VALUE",
        ("acknowledge",): "--where",
    }.items():
        refused = await own.run("reconciler", *plan, *words, "--by", "ana")
        assert (refused.exit_code, refused.stdout) == (2, ""), words
        assert sentence in refused.stderr, words
