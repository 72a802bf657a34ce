"""Idempotency keys of booking: one effect, and the first answer again (BK-13, docs/idempotency.md)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from booking.api.requests import NewBooking
from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.booking.booking_calls import BookingApi, request
from integration.booking.test_api import problem

REPLAYED = "idempotent-replayed"

# A commit of an answer waits for this advisory lock: a deferred trigger runs inside COMMIT.
_LOCK = 4711
_WAIT_AT_COMMIT = f"""
CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared({_LOCK}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON idempotent_request
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_at_commit();
"""
_WAIT_NO_MORE = "DROP FUNCTION wait_at_commit() CASCADE"
_WAITING = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {_LOCK} AND NOT granted"
_MADE = "SELECT count(*) FROM booking WHERE notes = $1"


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


def key(text: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": text or clock.new_id()}


async def test_same_key_and_body_get_the_same_bytes(api: BookingApi) -> None:
    headers = key()
    first = await api.call("POST", body=request(), headers=headers)
    await api.change(first.json()["id"], "confirmed")
    again = await api.call("POST", body=dict(reversed(request().items())), headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert (first.headers.get(REPLAYED), again.headers[REPLAYED]) == (None, "true")


async def test_quoted_key_and_bare_key_are_the_same(api: BookingApi) -> None:
    name = clock.new_id()
    first = await api.call("POST", body=request(), headers=key(name))
    again = await api.call("POST", body=request(), headers=key(f'"{name}"'))
    assert again.content == first.content


async def test_same_key_with_another_body_is_refused(api: BookingApi) -> None:
    headers = key()
    await api.call("POST", body=request(), headers=headers)
    problem(
        await api.call("POST", body=request(holiday=False), headers=headers), 422, "idempotency-key-reused"
    )
    problem(await api.call("POST", body=request(), headers=key("k" * 256)), 400, "malformed-idempotency-key")


async def test_refused_request_leaves_its_key_free(api: BookingApi) -> None:
    headers = key()
    problem(await api.call("POST", body=request(service="x"), headers=headers), 400, "unknown-service")
    assert (await api.call("POST", body=request(), headers=headers)).status_code == 201


async def test_thousand_requests_under_one_key_make_one_booking(api: BookingApi) -> None:
    headers, note, at_once = key(), clock.new_id(), asyncio.Semaphore(50)

    async def send() -> httpx.Response:
        async with at_once:
            return await api.call("POST", body=request(notes=note), headers=headers)

    answers = await asyncio.gather(*(send() for _ in range(1000)))
    refused = [answer for answer in answers if answer.status_code != 201]
    for answer in refused:
        problem(answer, 409, "idempotency-key-in-use")
        assert int(answer.headers["retry-after"]) >= 1
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    again = await send()
    assert again.headers[REPLAYED] == "true"
    events = await api.events(again.json()["id"], 1)
    assert [event.header("ce_type") for event in events] == ["booking.created"]
    assert await api.stack.database("booking").fetchval(_MADE, note) == 1


@asynccontextmanager
async def answer_not_committed(
    api: BookingApi, note: str, headers: dict[str, str]
) -> AsyncGenerator[asyncio.Task[httpx.Response]]:
    """Inside the block a request has done its work, and its COMMIT waits. At the end the COMMIT goes on."""
    sql = api.stack.database("booking")
    await sql.execute(_WAIT_AT_COMMIT)
    async with sql.connect() as holder:
        await holder.execute(f"SELECT pg_advisory_lock({_LOCK})")
        sent = asyncio.create_task(api.call("POST", body=request(notes=note), headers=headers))
        await eventually(lambda: sql.fetchval(_WAITING))
        yield sent
    await eventually(lambda: sql.fetchval(_MADE, note))
    await sql.execute(_WAIT_NO_MORE)


async def test_request_that_runs_is_not_waited_for(api: BookingApi) -> None:
    headers, note = key(), clock.new_id()
    async with answer_not_committed(api, note, headers) as sent:
        running = await api.call("POST", body=request(notes=note), headers=headers)
        problem(running, 409, "idempotency-key-in-use")
        assert running.headers["retry-after"] == "1"
    first, again = await sent, await api.call("POST", body=request(notes=note), headers=headers)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)


async def test_process_killed_between_effect_and_answer_answers_after_its_restart(api: BookingApi) -> None:
    headers, note = key(), clock.new_id()
    (service,) = api.stack.services("booking")
    async with answer_not_committed(api, note, headers) as sent:
        await service.kill()
        with pytest.raises(httpx.TransportError):
            await sent
    await service.start()
    again = await api.call("POST", body=request(notes=note), headers=headers)
    assert (again.status_code, again.headers[REPLAYED]) == (201, "true")
    made = "SELECT booking_id::text FROM booking WHERE notes = $1"
    assert await api.stack.database("booking").fetchval(made, note) == again.json()["id"]
    assert await api.stack.database("booking").fetchval(_MADE, note) == 1


async def test_erased_answer_is_the_booking_without_what_was_erased(api: BookingApi) -> None:
    headers = key()
    first = await api.call("POST", body=request(), headers=headers)
    booking = first.json()
    await api.change(booking["id"], "confirmed")
    async with api.stack.database("booking").connect() as sql:
        await sql.execute("SET ROLE booking_eraser")
        erased = await sql.execute(
            "UPDATE idempotent_request SET body = NULL WHERE resource = $1 OR resource LIKE $1 || '/%'",
            f"/api/bookings/{booking['id']}",
        )
        assert erased == "UPDATE 1"
        client = "client_name = '', client_phone = '', client_email = NULL"
        await sql.execute(f"UPDATE booking SET {client} WHERE booking_id = $1", booking["id"])
    again = await api.call("POST", body=request(), headers=headers)
    assert (again.status_code, again.headers[REPLAYED]) == (201, "true")
    assert again.json() == {**booking, "client": {"name": "", "phone": "", "email": None}}


_MOVE = """
INSERT INTO idempotent_request (scope_sha256, request_sha256, resource, status, headers)
VALUES (scope_of_moved_key('system', $1), $2, '/api/bookings/' || $3, 201, '{}')
"""
_INSERT_OF_THE_VERSION_BEFORE = """
INSERT INTO booking (
    booking_id, status, payment_status, version, transitions, currency, total, service, starts_at, ends_at,
    client_name, client_phone, pets, visits, idempotency_key, request_sha256
)
SELECT
    gen_random_uuid(), status, payment_status, version, transitions, currency, total, service, starts_at,
    ends_at, client_name, client_phone, pets, visits, $2, ''
FROM booking WHERE booking_id = $1
"""


async def test_key_of_the_version_before_still_answers_its_booking(api: BookingApi) -> None:
    booking, name = await api.create(), clock.new_id()
    digest = NewBooking.model_validate(request()).sha256()
    await api.stack.database("booking").execute(_MOVE, f'"{name}"', digest, booking["id"])
    again = await api.call("POST", body=request(), headers=key(name))
    assert (again.status_code, again.json()["id"], again.headers[REPLAYED]) == (201, booking["id"], "true")
    other = await api.call("POST", body=request(holiday=False), headers=key(name))
    problem(other, 422, "idempotency-key-reused")


async def test_process_of_the_version_before_cannot_use_a_taken_key(api: BookingApi) -> None:
    taken, free = clock.new_id(), clock.new_id()
    booking = (await api.call("POST", body=request(), headers=key(taken))).json()
    async with api.stack.database("booking").connect() as sql:
        transaction = sql.transaction()
        await transaction.start()
        for name, inserted in ((taken, "INSERT 0 0"), (free, "INSERT 0 1"), (free, "INSERT 0 0")):
            done = await sql.execute(_INSERT_OF_THE_VERSION_BEFORE, booking["id"], f"system\n{name}")
            assert done == inserted
        await transaction.rollback()
