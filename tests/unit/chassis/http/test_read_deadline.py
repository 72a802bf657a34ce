"""A read whose work hangs is answered 503 in time, also if the work does not let itself be cancelled."""

import asyncio
from typing import Any

import httpx
import pytest

from chassis.http.read_deadline import ReadDeadline

IN_TIME_SECONDS = 5.0


def app(*, hangs: bool, begins: bool = False) -> Any:
    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        if begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if hangs:
            try:
                await asyncio.Event().wait()
            finally:  # as the end of a transaction on a hanging server
                await asyncio.Event().wait()
        if begins:
            await asyncio.sleep(0.05)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    return ReadDeadline(answer, seconds_max=0.01)


async def ask(application: Any, method: str = "GET", path: str = "/api/bookings") -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://127.0.0.1"
    ) as client:
        return await asyncio.wait_for(client.request(method, path), IN_TIME_SECONDS)


async def test_read_that_hangs_is_answered_with_when_to_try_again() -> None:
    response = await ask(app(hangs=True))
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.json()["type"] == "urn:plumbline:problem:temporarily-unavailable"


@pytest.mark.parametrize(("method", "begins"), [("GET", False), ("GET", True), ("POST", True)])
async def test_answer_that_has_begun_and_writes_have_their_time(method: str, begins: bool) -> None:
    assert (await ask(app(hangs=False, begins=begins), method)).status_code == 200


async def test_work_that_was_given_up_may_answer_no_more() -> None:
    sent: list[Any] = []

    async def answers_late(_scope: Any, _receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    deadline = ReadDeadline(answers_late, seconds_max=0.01)
    scope: Any = {"type": "http", "method": "GET", "path": "/api/x"}
    await deadline(scope, asyncio.Event().wait, send)  # pyright: ignore[reportArgumentType]
    await asyncio.sleep(0)
    assert [message.get("status") for message in sent] == [503, None]
