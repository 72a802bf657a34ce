"""Senders at the gate are all in a service's hands before one of them is let in."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from faults.gate import Gate
from harness import eventually

ROOM = 2
BODY = b'{"id": "evt_1"}'


class Service:
    """Takes two requests at once, and tells further ones to come again without reading their bodies."""

    def __init__(self) -> None:
        self.in_hand = 0
        self.bodies: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.in_hand += 1
        status = 503
        if self.in_hand <= ROOM:
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self.bodies.append(await reader.readexactly(size))
            status = 200
        self.in_hand -= 1
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\nok" % status)
        writer.close()


@pytest.fixture
async def service() -> AsyncGenerator[Service]:
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks/stripe"
    try:
        yield service
    finally:
        server.close()


async def test_those_beyond_the_bound_are_turned_away_before_anybody_is_let_in(service: Service) -> None:
    gate = Gate()
    senders = [asyncio.create_task(gate.post(service.url, BODY, {})) for _ in range(5)]
    await eventually(lambda: gate.standing == 5 and gate.turned_away == 3, what="three to be turned away")
    assert not service.bodies
    assert not any(sender.done() for sender in senders)
    gate.open()
    answers = await asyncio.gather(*senders)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503, 503]
    assert service.bodies == [BODY] * 2


async def test_nobody_waits_once_it_is_open(service: Service) -> None:
    gate = Gate()
    gate.open()
    answer = await gate.post(service.url, BODY, {"content-type": "application/json"})
    assert (answer.status_code, answer.text) == (200, "ok")


async def test_nobody_there_is_told_as_a_client_does() -> None:
    gate = Gate()
    gate.open()
    with pytest.raises(httpx.ConnectError):
        await gate.post("http://127.0.0.1:1/webhooks/stripe", BODY, {})


async def test_connection_that_ends_without_an_answer_is_told_as_a_client_does() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    gate = Gate()
    gate.open()
    with pytest.raises(httpx.ReadError):
        await gate.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", BODY, {})
    server.close()
