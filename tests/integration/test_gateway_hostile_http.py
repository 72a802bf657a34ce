"""Requests that no HTTP client would send: each is answered or cut off, and the gateway lives on."""

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest

from chassis import clock
from harness import Infra, Running, Stack, start_services

ANSWER_SECONDS_MAX = 10.0
HOST = b"Host: gateway\r\n"


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    env = {"ENABLE_WEBHOOK_VALIDATION": "true", "GATEWAY_BODY_SECONDS_MAX": "1"}
    async with start_services(infra, "webhook-gateway", env=env) as stack:
        yield stack


async def answer(gateway: Running, request: bytes) -> bytes:
    """Everything the gateway says, until it closes or has said all; empty if it just closes."""
    target = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    writer.write(request)
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            return head + await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
    except asyncio.IncompleteReadError as cut:
        return cut.partial
    finally:
        writer.close()


def post(headers: bytes, body: bytes = b"{}", path: bytes = b"/webhooks/stripe") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + length + headers + b"\r\n" + body


@pytest.mark.parametrize(
    ("request_bytes", "status", "reason"),
    [
        (post(b"Stripe-Signature: t=1,v1=\xff\xfe\xc3\x28\r\n"), 401, b"signature_malformed"),
        (post(b"Stripe-Signature: \r\n"), 401, b"signature_malformed"),
        (post(b"Stripe-Signature: t=1\r\nStripe-Signature: v1=2\r\n"), 401, b"signature_malformed"),
        (post(b"Stripe-Signature: " + b"v1=0," * 5_000 + b"\r\n"), 401, b"signature_malformed"),
        (post(b"X: y\r\n" * 500), 401, b"signature_missing"),
        (post(b"", path=b"/webhooks/%00%ff"), 404, b"source_unknown"),
        (post(b"", path=b"/webhooks/../../etc/passwd"), 404, b""),
        (post(b"Content-Encoding: gzip\r\n"), 415, b"content_encoding_unsupported"),
        (post(b"If-Match: x\r\nExpect: nonsense\r\nRange: bytes=0-\r\n"), 401, b"signature_missing"),
        (post(b"Content-Length: 3\r\n"), 400, b""),
        (post(b"Transfer-Encoding: chunked\r\n"), 400, b""),
        (b"POST /webhooks/stripe HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, b""),
        (b"BREW /webhooks/stripe HTTP/1.1\r\n" + HOST + b"\r\n", 400, b""),
        (b"\x16\x03\x01\x00\xa5", 400, b""),
        (
            b"POST /webhooks/stripe HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n{",
            408,
            b"body_incomplete",
        ),
    ],
)
async def test_odd_request_gets_a_typed_answer(
    own: Stack, request_bytes: bytes, status: int, reason: bytes
) -> None:
    gateway = own.services("webhook-gateway")[0]
    said = await answer(gateway, request_bytes)
    assert said.startswith(b"HTTP/1.1 %d " % status), said
    assert reason in said
    assert "Traceback" not in gateway.log()
    assert (await own.deliver.stripe({"id": f"evt_{clock.new_id()}"})).status_code == 200


async def test_hundred_thousand_one_byte_chunks_are_read_within_limits(own: Stack) -> None:
    chunked = b"POST /webhooks/stripe HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    said = await answer(own.services("webhook-gateway")[0], chunked + b"1\r\n \r\n" * 100_000 + b"0\r\n\r\n")
    assert said.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 408 ")), said
    assert (await own.deliver.stripe({"id": f"evt_{clock.new_id()}"})).status_code == 200
