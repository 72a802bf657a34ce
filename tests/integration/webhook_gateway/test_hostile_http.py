"""Requests that no HTTP client sends: each gets a typed answer, and the gateway keeps running."""

from collections.abc import AsyncGenerator, Callable, Iterable

import pytest

from chassis import clock
from harness import Infra, Running, Stack, start_services
from integration.webhook_gateway.raw_http import Answer, assert_typed, conversation

HOST = b"Host: localhost\r\n"
STILL_THERE = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
EMPTY_CHUNK = b"0\r\n\r\n"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    env = {"ENABLE_WEBHOOK_VALIDATION": "true", "GATEWAY_BODY_SECONDS_MAX": "1"}
    async with start_services(infra, "webhook-gateway", env=env) as stack:
        yield stack


@pytest.fixture
async def gateway(own: Stack) -> AsyncGenerator[Running]:
    running = own.services("webhook-gateway")[0]
    yield running
    assert "Traceback" not in running.log()
    assert (await own.deliver.stripe({"id": f"evt_{clock.new_id()}"})).status_code == 200


def post(headers: bytes = b"", body: bytes = b"{}", path: bytes = b"/webhooks/stripe") -> bytes:
    return framed(b"Content-Length: %d\r\n" % len(body) + headers, body, path)


def framed(headers: bytes, body: bytes = b"{}", path: bytes = b"/webhooks/stripe") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def called(line: bytes, headers: bytes = b"") -> bytes:
    return line + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n"


def rows(requests: dict[str, bytes]) -> Callable[[Callable[..., object]], pytest.MarkDecorator]:
    return pytest.mark.parametrize("request_bytes", requests.values(), ids=requests.keys())


async def judged(gateway: Running, request: bytes) -> Answer:
    """Return the answer, and assert that the connection then is closed or usable, as it says."""
    async with conversation(gateway.url) as talk:
        answer = await talk.ask(request)
        assert_typed(answer)
        if answer.closes:
            assert await talk.rest() == b""
        else:
            assert (await talk.ask(STILL_THERE)).status == 200
        return answer


@rows(
    {
        "length twice, the same": post(b"Content-Length: 2\r\n"),
        "length twice, another": post(b"Content-Length: 3\r\n"),
        "length as a list": framed(b"Content-Length: 2, 2\r\n"),
        "length below zero": framed(b"Content-Length: -1\r\n"),
        "length with a sign": framed(b"Content-Length: +2\r\n"),
        "length in base 16": framed(b"Content-Length: 0x2\r\n"),
        "length beyond 64 bits": framed(b"Content-Length: 99999999999999999999999\r\n"),
        "length empty": framed(b"Content-Length: \r\n"),
        "length, then chunked": post(CHUNKED),
        "chunked, then length": framed(CHUNKED + b"Content-Length: 2\r\n", EMPTY_CHUNK),
        "coding is no chunking": framed(b"Transfer-Encoding: identity\r\n"),
        "chunking is not the last coding": framed(b"Transfer-Encoding: chunked, gzip\r\n", EMPTY_CHUNK),
        "coding twice": framed(CHUNKED + CHUNKED, EMPTY_CHUNK),
        "coding unknown": framed(b"Transfer-Encoding: xchunked\r\n", EMPTY_CHUNK),
        "space before a colon": framed(b"Transfer-Encoding : chunked\r\n", EMPTY_CHUNK),
        "chunk of no size": framed(CHUNKED, b"zz\r\n{}\r\n" + EMPTY_CHUNK),
        "chunk below zero": framed(CHUNKED, b"-2\r\n{}\r\n" + EMPTY_CHUNK),
        "chunk beyond 64 bits": framed(CHUNKED, b"FFFFFFFFFFFFFFFFFF\r\n{}\r\n" + EMPTY_CHUNK),
        "chunk longer than its size": framed(CHUNKED, b"1\r\n{}\r\n" + EMPTY_CHUNK),
        "chunks by bare line feeds": framed(CHUNKED, b"2\n{}\n0\n\n"),
    }
)
async def test_body_whose_end_is_unclear_is_refused_and_the_connection_closed(
    gateway: Running, request_bytes: bytes
) -> None:
    answer = await judged(gateway, request_bytes)
    assert (answer.status, answer.closes) == (400, True)


@rows(
    {
        "folded line": post(b"X-Folded: a\r\n b\r\n"),
        "folded signature": post(b"Stripe-Signature: t=1,\r\n v1=00\r\n"),
        "bare line feeds": b"POST /webhooks/stripe HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}",
        "bare carriage return in a value": post(b"X-A: b\rc\r\n"),
        "NUL in a value": post(b"X-A: b\0c\r\n"),
        "NUL in a name": post(b"X\0A: b\r\n"),
        "space in a name": post(b"X A: b\r\n"),
        "name that is not ASCII": post("X-Ä: b\r\n".encode()),
        "no colon": post(b"Stripe-Signature\r\n"),
        "no name": post(b": b\r\n"),
        "made-up method": called(b"BREW /webhooks/stripe"),
        "method in small letters": called(b"post /webhooks/stripe"),
        "no method": called(b"/webhooks/stripe"),
        "space first": b" " + post(),
        "space in the path": post(path=b"/webhooks/stripe x"),
        "path that is not ASCII": post(path="/webhooks/ü".encode()),
        "path without a slash": post(path=b"webhooks/stripe"),
        "scheme without a host": post(path=b"http://"),
        "host without a path": post(path=b"http://gateway"),
        "tunnel": b"CONNECT gateway:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n",
        "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP/3.7": b"POST /webhooks/stripe HTTP/3.7\r\n" + HOST + b"\r\n",
        "another protocol": b"EHLO gateway\r\n",
        "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    }
)
async def test_what_is_not_http_is_refused_and_the_connection_closed(
    gateway: Running, request_bytes: bytes
) -> None:
    answer = await judged(gateway, request_bytes)
    assert (answer.status, answer.closes) == (400, True)


@rows(
    {
        "no signature": post(),
        "no length": framed(b"", b""),
        "no host": b"POST /webhooks/stripe HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        "two hosts": post(b"Host: another\r\n"),
        "lines before it": b"\r\n\r\n" + post(),
        "chunks with extensions": framed(CHUNKED, b'1;a=b\r\n{\r\n1;c="d"\r\n}\r\n' + EMPTY_CHUNK),
        "values in UTF-8": post("X-Name: Zoë 🐕\r\n".encode()),
        "values in Latin-1": post("X-Name: Zoë\r\n".encode("latin-1")),
        "values that are no text": post(b"X-Name: \xff\xfe\xc3\x28\r\n"),
        "absolute form": post(path=b"http://gateway/webhooks/stripe"),
        "absolute form of another host": post(path=b"https://u:p@elsewhere.example:99/webhooks/stripe"),
        "fragment": post(path=b"/webhooks/stripe#x"),
        "query": post(path=b"/webhooks/stripe?a=b&%zz=%00&a"),
        "query of 60 kB": post(path=b"/webhooks/stripe?" + b"x" * 60_000),
        "If-None-Match": post(b"If-None-Match: *\r\n"),
        "If-Match": post(b'If-Match: "x"\r\n'),
        "If-Modified-Since": post(b"If-Modified-Since: Sat, 29 Oct 2033 19:43:31 GMT\r\n"),
        "If-Unmodified-Since": post(b"If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT\r\n"),
        "Range": post(b"Range: bytes=0-0\r\nIf-Range: x\r\n"),
        "Expect nonsense": post(b"Expect: nonsense\r\n"),
        "Accept nothing": post(b"Accept: image/png;q=0\r\nAccept-Charset: x\r\nTE: trailers, x\r\n"),
        "500 headers": post(b"X: y\r\n" * 500),
        "header of 60 kB": post(b"X: " + b"y" * 60_000 + b"\r\n"),
    }
)
async def test_oddities_without_a_signature_are_refused_for_want_of_it(
    gateway: Running, request_bytes: bytes
) -> None:
    answer = await judged(gateway, request_bytes)
    assert (answer.status, answer.reason) == (401, "signature_missing")


@rows(
    {
        "not ASCII": post(b"Stripe-Signature: t=1,v1=\xff\xfe\xc3\x28\r\n"),
        "empty": post(b"Stripe-Signature: \r\n"),
        "twice": post(b"Stripe-Signature: t=1\r\nStripe-Signature: v1=2\r\n"),
        "30 kB": post(b"Stripe-Signature: " + b"v1=0," * 6_000 + b"\r\n"),
    }
)
async def test_signature_header_of_no_known_form_is_refused_as_malformed(
    gateway: Running, request_bytes: bytes
) -> None:
    answer = await judged(gateway, request_bytes)
    assert (answer.status, answer.reason) == (401, "signature_malformed")


async def test_signature_behind_the_body_vouches_for_nothing(gateway: Running) -> None:
    trailer = b"0\r\nStripe-Signature: t=1,v1=" + b"0" * 64 + b"\r\n\r\n"
    answer = await judged(
        gateway, framed(CHUNKED + b"Trailer: Stripe-Signature\r\n", b"2\r\n{}\r\n" + trailer)
    )
    assert (answer.status, answer.reason) == (401, "signature_missing")


def paths(*paths: bytes) -> Iterable[object]:
    return [pytest.param(path, id=path.decode()[:40]) for path in paths]


@pytest.mark.parametrize(
    "path",
    paths(
        *(b"/", b"/no/such", b"/webhooks", b"/webhooks/", b"/webhooks/nobody", b"/webhooksstripe"),
        *(b"/WEBHOOKS/stripe", b"/webhooks/Stripe", b"/webhooks\\stripe", b"/webhooks/stripe/more"),
        *(b"/webhooks/../../etc/passwd", b"/webhooks/../health/live", b"/webhooks/%2e%2e/health/live"),
        *(b"/health/%2e%2e/webhooks/stripe", b"/webhooks/./stripe", b"/webhooks/stripe/%2e"),
        *(b"/webhooks/stripe;x", b"/webhooks;x/stripe", b"/webhooks/stripe;/"),
        *(b"/webhooks/%00%ff", b"/webhooks/stripe%00", b"/webhooks/%zz", b"/webhooks/%"),
        *(b"/webhooks/%2573tripe", b"/webhooks/stripe%252f", b"/webhooks/stripe%20", b"/webhooks/*"),
        *(b"/webhooks/" + b"x" * 60_000, b"/" + b"webhooks/" * 5_000),
    ),
)
async def test_path_of_no_source_is_not_found(gateway: Running, path: bytes) -> None:
    answer = await judged(gateway, post(path=path))
    assert answer.status == 404
    assert answer.reason in {"source_unknown", ""}


@pytest.mark.parametrize(
    "path",
    paths(
        *(b"/webhooks/stripe/", b"/webhooks//stripe", b"//webhooks/stripe", b"/webhooks/stripe//"),
        *(b"/webhooks%2fstripe", b"/webhooks/stripe%2F", b"/webhooks/%73tripe", b"/%77ebhooks/stripe"),
    ),
)
async def test_path_written_in_another_way_leads_to_the_same_door_or_to_none(
    gateway: Running, path: bytes
) -> None:
    answer = await judged(gateway, post(path=path))
    assert (answer.status, answer.reason) in {(401, "signature_missing"), (404, "source_unknown"), (404, "")}


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PUT", "PATCH", "DELETE", "PROPFIND", "PURGE"]
)
async def test_delivery_by_another_method_is_told_which_one_is_right(gateway: Running, method: str) -> None:
    answer = await judged(gateway, called(method.encode() + b" /webhooks/stripe", b"X-Secret: 7\r\n"))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.reason == ("" if method == "HEAD" else "method_not_allowed")
    assert b"X-Secret" not in answer.body


@pytest.mark.parametrize("method", ["POST", "TRACE", "CONNECT", "PUT", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
async def test_operations_by_another_method_are_told_which_ones_are_right(
    gateway: Running, path: str, method: str
) -> None:
    answer = await judged(gateway, called(f"{method} {path}".encode()))
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_head_is_answered_like_get_without_a_body(gateway: Running, path: str) -> None:
    async with conversation(gateway.url) as talk:
        whole = await talk.ask(called(f"GET {path}".encode()))
        head = await talk.ask(called(f"HEAD {path}".encode()))
        after = await talk.ask(called(f"GET {path}".encode()))
    assert (head.status, head.body, whole.status) == (200, b"", 200)
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert after.status == 200, "the connection goes on"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "DELETE"])
@pytest.mark.parametrize("path", ["/no/such", "/webhooks/nobody"])
async def test_nowhere_is_nowhere_by_every_method(gateway: Running, path: str, method: str) -> None:
    assert (await judged(gateway, called(f"{method} {path}".encode()))).status == 404


@pytest.mark.parametrize("headers", [b"If-None-Match: *\r\n", b"Range: bytes=0-0\r\n", b"If-Match: x\r\n"])
async def test_conditions_and_ranges_do_not_change_an_answer(gateway: Running, headers: bytes) -> None:
    async with conversation(gateway.url) as talk:
        answer = await talk.ask(called(b"GET /health/live", headers))
    assert (answer.status, answer.body) == (200, b'{"status":"alive"}')


async def test_body_in_a_coding_is_refused_unread(gateway: Running) -> None:
    for coding in (b"gzip", b"br, identity", b"x" * 5_000):
        answer = await judged(gateway, post(b"Content-Encoding: " + coding + b"\r\n"))
        assert (answer.status, answer.reason) == (415, "content_encoding_unsupported")
