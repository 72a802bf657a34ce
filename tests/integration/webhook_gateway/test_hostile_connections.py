"""Slow, flooding, cut and upgrading connections: none holds up others or grows the process."""

import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import psutil
import pytest

from chassis import clock
from harness import Infra, Running, Stack, eventually, start_services
from integration.webhook_gateway.raw_http import Answer, Conversation, assert_typed, conversation
from plumbline import signing
from webhook_gateway.server.protocol import HEAD_SECONDS_MAX

HOST = b"Host: localhost\r\n"
STILL_THERE = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
STRIPE = b"POST /webhooks/stripe HTTP/1.1\r\n" + HOST
UNFINISHED_HEAD = STRIPE + b"X-Slow: and"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: "
WEBSOCKET = (
    UPGRADE + b"websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
BODY_SECONDS_MAX = 1
CHUNKS_SECONDS_MAX = 30
GROWTH_BYTES_MAX = 32 * 1024 * 1024
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    env = {"ENABLE_WEBHOOK_VALIDATION": "true", "GATEWAY_BODY_SECONDS_MAX": str(BODY_SECONDS_MAX)}
    async with start_services(infra, "webhook-gateway", env=env) as stack:
        yield stack


@pytest.fixture
async def gateway(own: Stack) -> AsyncGenerator[Running]:
    running = own.services("webhook-gateway")[0]
    yield running
    assert "Traceback" not in running.log()
    assert (await own.deliver.stripe(event())).status_code == 200


@pytest.fixture
async def talk(gateway: Running) -> AsyncGenerator[Conversation]:
    async with conversation(gateway.url) as talk:
        yield talk


def event() -> bytes:
    return f'{{"id":"evt_{clock.new_id()}","type":"payment_intent.succeeded"}}'.encode()


def post(headers: bytes = b"", body: bytes = b"{}", *, path: bytes = b"/webhooks/stripe") -> bytes:
    line = b"POST " + path + b" HTTP/1.1\r\n" + HOST
    return line + b"Content-Length: %d\r\n" % len(body) + headers + b"\r\n" + body


def signature(own: Stack, body: bytes) -> bytes:
    signed = signing.sign_stripe(body, own.secrets["stripe"], clock.now())
    return "".join(f"{name}: {value}\r\n" for name, value in signed.items()).encode()


def single_bytes(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


def chunks(body: bytes) -> bytes:
    return b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"


def resident_bytes(running: Running) -> int:
    return psutil.Process(running.pid).memory_info().rss


def held(running: Running, *talks: Conversation) -> bool:
    """Return whether the process still has one of the connections open."""
    ports = {talk.port for talk in talks}
    connections = psutil.Process(running.pid).net_connections("tcp")
    return any(each.raddr and each.raddr.port in ports for each in connections)


async def assert_cut_off(talk: Conversation, answer: Answer, status: int, reason: str) -> None:
    assert (answer.status, answer.reason, answer.closes) == (status, reason, True)
    assert await talk.rest() == b""


# --- good deliveries in odd shapes ----------------------------------------------------------------


async def test_good_delivery_is_stored_in_whatever_shape_it_comes(gateway: Running, own: Stack) -> None:
    body = event()
    signed, sized = signature(own, body), b"Content-Length: %d\r\n" % len(body)
    shapes = {
        "one-byte chunks": STRIPE + signed + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(body),
        "HTTP/1.0": b"POST /webhooks/stripe HTTP/1.0\r\n" + sized + signed + b"\r\n" + body,
        "absolute form": post(signed, body, path=b"http://gateway/webhooks/stripe"),
        "on conditions": post(signed + b'If-None-Match: "x"\r\nRange: bytes=0-1\r\n', body),
        "among 500 headers": post(b"X: y\r\n" * 500 + signed, body),
    }
    for shape, request in shapes.items():
        async with conversation(gateway.url) as talk:
            answer = await talk.ask(request)
            assert (answer.status, answer.body) == (200, b'{"received": true}'), shape


async def test_good_delivery_that_asks_for_http_2_is_stored(talk: Conversation, own: Stack) -> None:
    body = event()
    asking = UPGRADE + b"h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    answer = await talk.ask(post(signature(own, body) + asking, body))
    assert (answer.status, answer.reason) == (200, "")
    assert (await talk.ask(STILL_THERE)).status == 200


async def test_body_of_a_request_that_asks_for_http_2_is_awaited(talk: Conversation) -> None:
    head, _, body = post(UPGRADE + b"h2c\r\n", STILL_THERE).partition(b"\r\n\r\n")
    await talk.say(head + b"\r\n\r\n")
    with pytest.raises(TimeoutError):
        await talk.answer(seconds_max=BODY_SECONDS_MAX / 4)
    assert (await talk.ask(body)).reason == "signature_missing"
    assert (await talk.ask(post(path=b"/webhooks/nobody"))).reason == "source_unknown"


async def test_good_delivery_is_stored_byte_by_byte(talk: Conversation, own: Stack) -> None:
    body = b'{"id":"evt_slow"}'
    head = STRIPE + b"Content-Length: %d\r\n" % len(body) + signature(own, body) + b"\r\n"
    answer = await talk.ask_slowly([*single_bytes(head), body[:1], body[1:]])
    assert answer.status == 200


# --- slow ones ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "pieces"),
    [
        (b"Content-Length: 10000\r\n\r\n", []),
        (b"Content-Length: 10000\r\n\r\n{", []),
        (b"Content-Length: 10000\r\n\r\n", single_bytes(b" " * 9_999)),
        (b"Transfer-Encoding: chunked\r\n\r\n", [b"1\r\n \r\n"] * 10_000),
        (b"Transfer-Encoding: chunked\r\n\r\n", single_bytes(b"1\r\n \r\n" * 2_000)),
        (b"Transfer-Encoding: chunked\r\n\r\n5;", single_bytes(b"x" * 10_000)),
    ],
    ids=["no body", "one byte", "byte by byte", "chunk by chunk", "chunks in bytes", "endless extension"],
)
async def test_slow_body_is_cut_off_at_its_deadline(
    talk: Conversation, head: bytes, pieces: list[bytes]
) -> None:
    began = time.monotonic()
    answer = await talk.ask_slowly([STRIPE + head, *pieces])
    await assert_cut_off(talk, answer, 408, "body_incomplete")
    assert BODY_SECONDS_MAX * 0.9 < time.monotonic() - began < BODY_SECONDS_MAX * 3


async def test_body_that_was_announced_too_large_and_does_not_come_is_cut_off(talk: Conversation) -> None:
    request = STRIPE + b"Content-Length: 999999999999\r\n\r\n" + b"x" * MEBIBYTE
    await assert_cut_off(talk, await talk.ask(request), 413, "body_too_large")


async def test_body_without_an_end_is_cut_off(talk: Conversation) -> None:
    endless = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    request = STRIPE + b"Transfer-Encoding: chunked\r\n\r\n" + endless * 256
    await assert_cut_off(talk, await talk.ask(request), 413, "body_too_large")


async def test_connections_stuck_in_their_headers_hinder_nobody(gateway: Running) -> None:
    async with AsyncExitStack() as stay:
        stuck = [await stay.enter_async_context(conversation(gateway.url)) for _ in range(200)]
        for each in stuck:
            await each.say(UNFINISHED_HEAD)
        async with conversation(gateway.url) as talk:
            assert (await talk.ask(STILL_THERE)).status == 200
            assert (await talk.ask(post())).reason == "signature_missing"
        stuck[0].reset()
        assert (await stuck[1].ask(b" then\r\nContent-Length: 0\r\n\r\n")).reason == "signature_missing"
        assert held(gateway, *stuck)
    await eventually(lambda: not held(gateway, *stuck), what="connections go with their clients")


async def test_headers_that_do_not_come_are_cut_off(gateway: Running) -> None:
    async with conversation(gateway.url) as silent, conversation(gateway.url) as slow:
        await slow.say(UNFINISHED_HEAD)
        answer = await slow.answer(seconds_max=HEAD_SECONDS_MAX + BODY_SECONDS_MAX)
        assert_typed(answer)
        assert (answer.status, answer.closes) == (408, True)
        assert await slow.rest() == b""
        assert await silent.rest() == b""


# --- floods ---------------------------------------------------------------------------------------


async def test_hundred_thousand_one_byte_chunks_are_answered_in_time_and_memory_stays_flat(
    gateway: Running,
) -> None:
    request = STRIPE + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 100_000 + b"0\r\n\r\n"
    settled = 0
    for _ in range(5):
        began = time.monotonic()
        async with conversation(gateway.url) as talk:
            answer = await talk.ask(request, seconds_max=CHUNKS_SECONDS_MAX)
        assert_typed(answer)
        assert answer.status in {400, 401, 408, 413}
        assert time.monotonic() - began < CHUNKS_SECONDS_MAX
        settled = settled or resident_bytes(gateway)
    assert resident_bytes(gateway) - settled < GROWTH_BYTES_MAX


@pytest.mark.parametrize(
    "headers",
    [b"X: y\r\n" * 100_000, b"X: " + b"y" * 2 * MEBIBYTE + b"\r\n", b"x" * 2 * MEBIBYTE + b": y\r\n"],
    ids=["many headers", "one long value", "one long name"],
)
async def test_flood_of_headers_is_refused_and_memory_stays_flat(gateway: Running, headers: bytes) -> None:
    settled = 0
    for number in range(20):
        async with conversation(gateway.url) as talk:
            answer = await talk.ask(post(headers))
        assert_typed(answer)
        assert answer.status == 431
        if number == 4:
            settled = resident_bytes(gateway)
    assert resident_bytes(gateway) - settled < GROWTH_BYTES_MAX


async def test_headers_are_not_kept_beyond_all_reason(talk: Conversation) -> None:
    answer = await talk.ask(post(b"X: " + b"y" * 16 * MEBIBYTE + b"\r\n"))
    assert_typed(answer)
    assert (answer.status, answer.closes) == (431, True)
    assert await talk.rest() == b""


# --- several requests, and less than one ----------------------------------------------------------


async def test_requests_in_a_row_are_answered_in_their_order(talk: Conversation) -> None:
    round_of_three = post() + post(path=b"/webhooks/nobody") + STILL_THERE
    await talk.say(round_of_three * 20)
    statuses = [(await talk.answer()).status for _ in range(60)]
    assert statuses == [401, 404, 200] * 20


async def test_garbage_behind_a_request_ends_the_connection_behind_its_answer(talk: Conversation) -> None:
    answer = await talk.ask(post() + b"garbage\r\n\r\n")
    await assert_cut_off(talk, answer, 401, "signature_missing")


async def test_nothing_is_taken_behind_a_request_that_closes(talk: Conversation) -> None:
    answer = await talk.ask(post(b"Connection: close\r\n") + post(path=b"/webhooks/nobody"))
    await assert_cut_off(talk, answer, 401, "signature_missing")


async def test_body_of_a_request_that_was_refused_unread_is_not_read_as_the_next_request(
    talk: Conversation,
) -> None:
    smuggled = STILL_THERE * 100
    answer = await talk.ask(post(path=b"/webhooks/nobody", body=smuggled))
    assert (answer.status, answer.reason) == (404, "source_unknown")
    if answer.closes:
        assert await talk.rest() == b""
    else:
        assert (await talk.ask(post())).reason == "signature_missing"


@pytest.mark.parametrize("before", [b"", STILL_THERE, post() * 3], ids=["alone", "second", "fourth"])
async def test_client_that_only_says_no_more_gets_all_its_answers(
    talk: Conversation, own: Stack, before: bytes
) -> None:
    body = event()
    await talk.say(before + post(signature(own, body), body))
    talk.say_no_more()
    for _ in range(before.count(HOST)):
        assert not (await talk.answer()).closes
    answer = await talk.answer()
    assert (answer.status, answer.body) == (200, b'{"received": true}')
    assert (
        await talk.rest() == b""
    )  # the end follows, whichever came first: the answer or the client's last word


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"", 0),
        (UNFINISHED_HEAD, 0),
        (STRIPE + b"Content-Length: 10\r\n\r\n{", 0),
        (post() + UNFINISHED_HEAD, 1),
        (post(), 1),
        (STILL_THERE, 1),
    ],
    ids=["nothing", "half a head", "half a body", "one and a half", "a delivery", "a question"],
)
@pytest.mark.parametrize("how", ["half-close", "reset"])
async def test_client_that_leaves_is_let_go(gateway: Running, sent: bytes, answers: int, how: str) -> None:
    async with conversation(gateway.url) as talk:
        await talk.say(sent)
        if how == "reset":
            talk.reset()
        else:
            talk.say_no_more()
            heard = (await talk.rest(seconds_max=BODY_SECONDS_MAX * 3)).count(b"HTTP/1.1 ")
            assert heard == answers
    await eventually(lambda: not held(gateway, talk), what="the connection goes with its client")


# --- Expect, versions, upgrades -------------------------------------------------------------------


async def test_body_is_asked_for_where_the_client_waits_to_be_asked(talk: Conversation) -> None:
    head, _, body = post(b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    assert (await talk.ask(head + b"\r\n\r\n")).status == 100
    assert (await talk.ask(body)).reason == "signature_missing"
    assert (await talk.ask(STILL_THERE)).status == 200


async def test_body_that_is_refused_unread_is_not_asked_for(talk: Conversation) -> None:
    answer = await talk.ask(STRIPE.replace(b"stripe", b"nobody") + b"Expect: 100-continue\r\n\r\n")
    assert (answer.status, answer.reason) == (404, "source_unknown")


async def test_body_that_was_asked_for_and_does_not_come_is_cut_off(talk: Conversation) -> None:
    waiting = STRIPE + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    assert (await talk.ask(waiting)).status == 100
    await assert_cut_off(talk, await talk.answer(), 408, "body_incomplete")


@pytest.mark.parametrize(
    "request_bytes",
    [
        post().replace(b"HTTP/1.1", b"HTTP/1.0"),
        post(b"Connection: keep-alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"POST /webhooks/stripe HTTP/1.0\r\n\r\n",
        b"POST /webhooks/stripe HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"{}"),
    ],
    ids=["plain", "keep-alive", "no body", "chunked"],
)
async def test_old_http_is_answered_without_chunks_and_closed(
    talk: Conversation, request_bytes: bytes
) -> None:
    answer = await talk.ask(request_bytes)
    assert "transfer-encoding" not in answer.headers
    await assert_cut_off(talk, answer, 401, "signature_missing")


@pytest.mark.parametrize("path", [b"/webhooks/stripe", b"/webhooks/nobody", b"/health/live", b"/no/such"])
async def test_websocket_is_refused(talk: Conversation, path: bytes) -> None:
    answer = await talk.ask(b"GET " + path + b" HTTP/1.1\r\n" + HOST + WEBSOCKET + b"\r\n")
    assert answer.status in {200, 404, 405}


async def test_delivery_that_asks_for_a_websocket_is_answered(talk: Conversation) -> None:
    assert (await talk.ask(post(WEBSOCKET), seconds_max=3)).reason == "signature_missing"


@pytest.mark.parametrize("protocol", [b"h2c\r\nHTTP2-Settings: AAMAAABk", b"TLS/1.0", b"nonsense", b""])
async def test_other_upgrades_are_passed_over(talk: Conversation, protocol: bytes) -> None:
    asking = UPGRADE + protocol + b"\r\n"
    for request in (post(asking), post(asking) * 100, post(asking) + STILL_THERE):
        await talk.say(request)
        for _ in range(request.count(b"POST")):
            answer = await talk.answer()
            assert (answer.status, answer.reason) == (401, "signature_missing")
    assert (await talk.answer()).status == 200


async def test_endless_row_of_requests_on_one_connection_leaves_no_trace(
    gateway: Running, talk: Conversation
) -> None:
    settled = 0
    for number in itertools.count():
        assert (await talk.ask(post())).status == 401
        if number == 200:
            settled = resident_bytes(gateway)
        if number == 1_200:
            break
    assert resident_bytes(gateway) - settled < GROWTH_BYTES_MAX
