"""Idempotency keys of booking: one effect, and the first answer again (BK-13, docs/idempotency.md)."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, start_services
from integration.booking.booking_calls import BookingApi, request
from integration.booking.test_api import problem

REPLAYED = "idempotent-replayed"


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
    made = "SELECT count(*) FROM booking WHERE notes = $1"
    assert await api.stack.database("booking").fetchval(made, note) == 1
