"""People's steps on exceptions: over HTTP, two at once, and taken back (REC-9)."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from chassis.clock import new_id, now
from chassis.postgres import Database
from harness import Infra, Stack, eventually, start_services
from integration.reconciler.reconciler_bookings import (
    PRICE,
    completed_run,
    corrupt,
    events_about,
    exceptions_of,
    insert_bookings,
    types,
)
from reconciler.domain.decisions import StepRefusedError
from reconciler.domain.step_requests import StepRequest, acknowledging, resolving
from reconciler.handlers.exception_workflow import take_step

OFF_BY = 700
OPENED = ["reconciliation.drift-detected", "reconciliation.exception-opened"]
CHANGED = "reconciliation.exception-changed"
Post = Callable[..., Any]


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        yield stack


@pytest.fixture(scope="module")
async def database(own: Stack) -> AsyncGenerator[Database]:
    database = Database(own.database("reconciler").dsn("reconciler"), application_name="test")
    await database.start()
    yield database
    await database.stop()


async def drifted(own: Stack, http: httpx.AsyncClient, by: int = OFF_BY) -> tuple[str, str]:
    """Return the ids of a booking whose stored total is too high, and of its exception."""
    booking = (await insert_bookings(own))[0]
    await corrupt(own, booking, "total = $2", PRICE + by)
    await completed_run(own, http)
    return booking, (await exceptions_of(own, http, [booking]))[booking][0]["id"]


async def post(own: Stack, http: httpx.AsyncClient, path: str, body: Any = None, **headers: str) -> Any:
    url = f"{own.url('reconciler')}/api/exceptions/{path}"
    return await http.post(url, json=body, headers=headers)


async def test_workflow_of_one_exception(own: Stack, http: httpx.AsyncClient) -> None:
    booking, exception = await drifted(own, http)
    until = (now() + timedelta(days=3)).isoformat()
    steps: list[tuple[str, Any, str]] = [
        ("acknowledge", None, "acknowledged"),
        ("assign", {"assignee": "bo"}, "acknowledged"),
        ("comment", {"text": "asked the engine's owner"}, "acknowledged"),
        ("suppress", {"until": until, "beyond": 900, "occurrences": 4, "reason": "known"}, "suppressed"),
        ("reopen", {"reason": "not known after all"}, "open"),
        ("resolve", {"resolution": "accepted", "reason": "rounding", "up_to": 900}, "resolved"),
        ("revert", {"reason": "wrong exception"}, "open"),
        (
            "resolve",
            {"resolution": "written_off", "reason": "old", "up_to": {"amount": 700, "currency": "USD"}},
            "resolved",
        ),
    ]
    history: list[dict[str, Any]] = []
    for name, body, status in steps:
        answer = await post(own, http, f"{exception}/{name}", body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == status
        history = answer.json()["history"]
    assert [entry["kind"] for entry in history] == [
        "opened", "acknowledged", "assigned", "commented", "suppressed", "reopened", "resolved", "reverted",
        "resolved",
    ]  # fmt: skip
    assert [entry["version"] for entry in history] == list(range(1, 10))
    assert history[4]["details"] == {"until": until, "beyond": 900, "occurrences": 4}
    assert history[3]["reason"] == "asked the engine's owner"

    async def announced() -> bool:
        resolved = "reconciliation.exception-resolved"
        expected = [*OPENED, *[CHANGED] * 5, resolved, CHANGED, resolved]
        return types(await events_about(own, booking)) == expected

    assert await eventually(announced)
    await completed_run(own, http)
    again = (await exceptions_of(own, http, [booking]))[booking]
    assert [(item["status"], item["occurrences"]) for item in again] == [("resolved", 2)], "it holds"
    await corrupt(own, booking, "total = $2", PRICE + 701)
    await completed_run(own, http)
    assert [item["status"] for item in (await exceptions_of(own, http, [booking]))[booking]] == ["open"]


async def test_step_on_another_version_is_refused(own: Stack, http: httpx.AsyncClient) -> None:
    _, exception = await drifted(own, http)
    read = await http.get(f"{own.url('reconciler')}/api/exceptions/{exception}")
    tag = read.headers["etag"]
    assert (await post(own, http, f"{exception}/acknowledge", **{"If-Match": tag})).status_code == 200
    stale = await post(own, http, f"{exception}/comment", {"text": "x"}, **{"If-Match": tag})
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:plumbline:problem:stale-version")
    assert stale.json()["version"] == 2
    current = await post(own, http, f"{exception}/comment", {"text": "x"}, **{"If-Match": '"2"'})
    assert current.status_code == 200


@pytest.mark.parametrize(
    ("name", "body", "problem"),
    [
        ("resolve", {"resolution": "ignored", "reason": "x"}, "resolution"),
        ("resolve", {"resolution": "fixed"}, "reason"),
        ("resolve", {"resolution": "fixed", "reason": "  "}, "reason"),
        ("resolve", {"resolution": "accepted", "reason": "x", "up_to": -1}, "up_to"),
        (
            "resolve",
            {"resolution": "accepted", "reason": "x", "up_to": {"amount": 1, "currency": "EUR"}},
            "up_to: the exception is in USD, not in EUR",
        ),
        ("suppress", {"reason": "x"}, "say until when"),
        ("suppress", {"reason": "x", "until": "2020-01-01T00:00:00Z"}, "until lies in the past"),
        ("suppress", {"reason": "x", "until": "tomorrow"}, "until"),
        ("suppress", {"reason": "x", "occurrences": 0}, "occurrences"),
        ("assign", {"assignee": "+1 312 555 0100"}, "assignee"),
        ("assign", {"assignee": "nobody"}, "assignee"),
        ("comment", {"text": "x" * 4001}, "text"),
        ("acknowledge", {"force": True}, "force"),
    ],
)
async def test_bad_body_is_refused_and_named(
    own: Stack, http: httpx.AsyncClient, worked: str, name: str, body: Any, problem: str
) -> None:
    answer = await post(own, http, f"{worked}/{name}", body)
    assert answer.status_code == 400, answer.text
    assert problem in answer.text


@pytest.fixture(scope="module")
async def worked(own: Stack, http: httpx.AsyncClient) -> str:
    return (await drifted(own, http))[1]


async def test_illegal_step_and_unknown_exception(own: Stack, http: httpx.AsyncClient) -> None:
    _, exception = await drifted(own, http)
    refused = await post(own, http, f"{exception}/reopen", {"reason": "x"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "reopen: the exception is open")
    assert (await post(own, http, f"{new_id()}/acknowledge")).status_code == 404


async def test_same_idempotency_key_is_one_step(own: Stack, http: httpx.AsyncClient) -> None:
    _, exception = await drifted(own, http)
    key = {"Idempotency-Key": f'"{new_id()}"'}
    answers = [await post(own, http, f"{exception}/comment", {"text": "once"}, **key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [entry["kind"] for entry in answers[1].json()["history"]] == ["opened", "commented"]


async def take(database: Database, exception: str, request: StepRequest) -> str:
    async with database.transaction() as connection:
        taken = await take_step(connection, exception, request, expects=lambda _: True, now=now())
    assert taken is not None
    return taken[0].state.status


async def test_of_two_people_at_once_one_acts_and_the_other_is_told(
    own: Stack, http: httpx.AsyncClient, database: Database
) -> None:
    _, exception = await drifted(own, http)
    outcomes = await asyncio.gather(
        *(take(database, exception, acknowledging(person)) for person in ("ana", "bo", "cy")),
        return_exceptions=True,
    )
    refusals = [each for each in outcomes if isinstance(each, StepRefusedError)]
    assert outcomes.count("acknowledged") == 1
    assert len(refusals) == 2
    detail = await http.get(f"{own.url('reconciler')}/api/exceptions/{exception}")
    assert f"acknowledged by {detail.json()['assignee']}" in str(refusals[0])


async def test_large_difference_needs_a_second_person(
    own: Stack, http: httpx.AsyncClient, database: Database
) -> None:
    _, exception = await drifted(own, http)

    def resolve(person: str) -> StepRequest:
        return resolving(person, "fixed", "paid back", up_to=None, second_person_above=OFF_BY - 1)

    assert await take(database, exception, resolve("ana")) == "open"
    with pytest.raises(StepRefusedError, match="another person has to resolve it so too"):
        await take(database, exception, resolve("ana"))
    assert await take(database, exception, resolve("bo")) == "resolved"


async def test_no_step_is_recorded_twice(own: Stack, http: httpx.AsyncClient) -> None:
    _, exception = await drifted(own, http)
    again = """
    INSERT INTO reconciler.exception_event (exception_id, version, kind, revision, actor, reason, explanation)
    VALUES ($1, 1, 'opened', 1, 'x', '', '{}')
    """
    with pytest.raises(asyncpg.UniqueViolationError):
        await own.database("reconciler").execute(again, UUID(exception))
