"""The ASGI edge, in-process and without a broker: routes, limits, answers, what is put on record.

Nothing stands in for Kafka here: the producer is simply not connected, so whatever gets as far as
publishing answers 503. Deliveries that are stored are the integration tests' business.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from litestar import Litestar
from litestar.types import Message
from structlog.testing import capture_logs

from chassis import clock
from chassis.http.app import build_app
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.producer import Producer
from chassis.observability.metrics import Metrics
from chassis.process.health import Health
from contracts.reasons import RefusalReason
from harness import eventually
from unit.webhook_gateway.signed_deliveries import BODY, OTHER_SECRET, SECRET, accepting, signed_headers
from webhook_gateway.api.body import DRAIN_BYTES_MAX, PIECES_MAX
from webhook_gateway.api.openapi import describe_webhooks
from webhook_gateway.api.webhooks import MOUNTS, Limits, WebhookEndpoint
from webhook_gateway.domain.refusal_budget import RefusalBudget
from webhook_gateway.domain.source import SMS_IDENTITY, STRIPE_IDENTITY, Source
from webhook_gateway.domain.verification import SCHEMES
from webhook_gateway.handlers.deliveries import DeliveryHandler
from webhook_gateway.handlers.sources import Sources
from webhook_gateway.jobs.refusals import RefusalLog
from webhook_gateway.metrics import register_metrics

BODY_BYTES_MAX = 1000
LIMITS = Limits(BODY_BYTES_MAX, 1, bodies_bytes_max=2**20, in_flight_max=10, proxies_trusted=0)
STRIPE = SCHEMES["stripe"]


class Edge:
    """The gateway's HTTP application, and what it put on record."""

    def __init__(self, *, validation_enabled: bool = True, **limits: int) -> None:
        metrics = Metrics("webhook-gateway")
        gateway_metrics = register_metrics(metrics, validation_enabled=validation_enabled)
        producer = Producer(KafkaConnection("127.0.0.1:1", "", {}), client_id="test")
        self.refusals = RefusalLog(producer, RefusalBudget(60, 600), gateway_metrics)
        sources = (
            Source("stripe", tuple(accepting(STRIPE)), STRIPE_IDENTITY, always_verified=True),
            Source("sms", tuple(accepting(SCHEMES["openphone-legacy"])), SMS_IDENTITY, always_verified=False),
        )
        self.endpoint = WebhookEndpoint(
            Sources({source.name: source for source in sources}),
            DeliveryHandler(producer, validation_enabled=validation_enabled, ack_seconds_max=1),
            self.refusals.record,
            gateway_metrics,
            replace(LIMITS, **limits),
            validation_enabled=validation_enabled,
        )
        self.app: Litestar = build_app(
            title="test",
            handlers=[],
            mounts=dict.fromkeys(MOUNTS, self.endpoint),
            health=Health(),
            metrics=metrics,
            guard=None,
        )
        describe_webhooks(self.app)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://localhost"
        )

    async def post(self, path: str = "/webhooks/stripe", **request: object) -> httpx.Response:
        return await self.http.post(path, **request)

    async def gauge(self, name: str) -> float:
        text = (await self.http.get("/metrics")).text
        (value,) = re.findall(rf"^webhook_gateway_{name} (\S+)$", text, re.MULTILINE)
        return float(value)

    def on_record(self) -> list[dict[str, object]]:
        return [json.loads(record.value) for record in self.refusals._queue]


async def holds(edge: Edge, gauge: str, value: float) -> bool:
    return await edge.gauge(gauge) == value


def signed(body: bytes = BODY, **options: object) -> dict[str, str]:
    return {n.decode(): v.decode() for n, v in signed_headers(STRIPE, body, **{"at": clock.now(), **options})}


def reason_of(response: httpx.Response) -> RefusalReason:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:plumbline:problem:{problem['reason'].replace('_', '-')}"
    return RefusalReason(problem["reason"])


async def test_good_delivery_that_cannot_be_stored_answers_503_and_when_to_come_back() -> None:
    edge = Edge()
    for path in ("/webhooks/stripe", "/api/webhooks/stripe", "/webhooks/stripe/", "/webhooks//stripe//"):
        response = await edge.post(path, content=BODY, headers=signed())
        assert (response.status_code, reason_of(response)) == (503, RefusalReason.BROKER_UNAVAILABLE)
        assert int(response.headers["retry-after"]) > 0
    assert edge.on_record() == []


@pytest.mark.parametrize(
    ("headers", "content", "reason"),
    [
        ({}, b"{not json", RefusalReason.SIGNATURE_MISSING),
        ({"stripe-signature": "nonsense"}, b"{not json", RefusalReason.SIGNATURE_MALFORMED),
        (signed(), b"{not json", RefusalReason.SIGNATURE_MISMATCH),
        (signed(secret=OTHER_SECRET), BODY, RefusalReason.SIGNATURE_MISMATCH),
        (signed(at=clock.now() - timedelta(hours=1)), BODY, RefusalReason.TIMESTAMP_OUTSIDE_WINDOW),
        (signed(at=clock.now() + timedelta(hours=1)), BODY, RefusalReason.TIMESTAMP_OUTSIDE_WINDOW),
    ],
)
@pytest.mark.parametrize(("flag", "status"), [(True, 401), (False, 400)])
async def test_bad_signature_is_refused_before_anything_is_parsed(
    flag: bool, status: int, headers: dict[str, str], content: bytes, reason: RefusalReason
) -> None:
    edge = Edge(validation_enabled=flag)
    response = await edge.post(content=content, headers=headers)
    assert (response.status_code, reason_of(response)) == (status, reason)
    assert [record["reason"] for record in edge.on_record()] == [reason] * flag


async def test_refusal_on_record_holds_digest_size_and_header_names_but_no_body_and_no_values() -> None:
    edge = Edge()
    secretive = b'{"text": "do not keep this"}'
    await edge.post(
        "/api/webhooks/stripe?x=1", content=secretive, headers={"stripe-signature": "t=1,v1=private"}
    )
    (record,) = edge.on_record()
    assert record["source"] == "stripe"
    assert record["path"] == "/api/webhooks/stripe"
    assert record["body_bytes"] == len(secretive)
    assert isinstance(record["body_sha256"], str)
    assert len(record["body_sha256"]) == 64
    assert "stripe-signature" in record["header_names"]
    written = edge.refusals._queue[0].value
    assert b"do not keep" not in written
    assert b"private" not in written


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/nope",
        "/webhooks/Stripe",
        "/webhooks/stripe/x",
        "/webhooks",
        "/api/webhooks/",
    ],
)
async def test_unknown_source_is_404_and_never_names_a_metric(path: str) -> None:
    edge = Edge()
    response = await edge.post(path, content=BODY, headers=signed())
    assert (response.status_code, reason_of(response)) == (404, RefusalReason.SOURCE_UNKNOWN)
    assert [record["source"] for record in edge.on_record()] == ["unknown"]
    metrics = (await edge.http.get("/metrics")).text
    assert 'source="unknown"' in metrics
    assert "nope" not in metrics


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_other_method_is_405_and_names_the_right_one(method: str) -> None:
    response = await Edge().http.request(method, "/webhooks/stripe")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("coding", "status"),
    [("gzip", 415), ("br, gzip", 415), ("identity", 503), ("", 503), ("Identity", 503)],
)
async def test_content_encoding_other_than_identity_is_415(coding: str, status: int) -> None:
    response = await Edge().post(content=BODY, headers={**signed(), "content-encoding": coding})
    assert response.status_code == status


@pytest.mark.parametrize(
    "content", [b"x", b"[1,", b'{"id":"evt_1"', b"\xff", b"[" * 65 + b"]" * 65, b"[NaN]"]
)
async def test_signed_body_that_is_not_json_is_400(content: bytes) -> None:
    edge = Edge()
    response = await edge.post(content=content, headers=signed(content))
    assert (response.status_code, reason_of(response)) == (400, RefusalReason.BODY_NOT_JSON)
    assert len(edge.on_record()) == 1


async def test_signed_stripe_event_without_an_id_is_400() -> None:
    response = await Edge().post(content=b"{}", headers=signed(b"{}"))
    assert (response.status_code, reason_of(response)) == (400, RefusalReason.EVENT_ID_MISSING)


async def test_unsigned_sms_with_the_flag_off_gets_as_far_as_the_broker_and_json_still_counts() -> None:
    edge = Edge(validation_enabled=False)
    assert reason_of(await edge.post("/webhooks/sms", content=b"{}")) is RefusalReason.BROKER_UNAVAILABLE
    assert reason_of(await edge.post("/webhooks/sms", content=b"{")) is RefusalReason.BODY_NOT_JSON
    assert edge.on_record() == []


@pytest.mark.parametrize(
    ("size", "status"), [(BODY_BYTES_MAX, 503), (BODY_BYTES_MAX + 1, 413), (100_000, 413)]
)
@pytest.mark.parametrize("chunk", [1, 700, 1_000_000])
async def test_body_over_the_limit_is_413_however_it_is_cut(size: int, status: int, chunk: int) -> None:
    body = b'{"id":"evt_1"}'.ljust(size)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, size, chunk):
            yield body[at : at + chunk]

    edge = Edge()
    response = await edge.post(content=pieces(), headers=signed(body))
    assert response.status_code == status
    if status == 413:
        assert reason_of(response) is RefusalReason.BODY_TOO_LARGE
        assert ("connection" in response.headers) == (size / chunk > PIECES_MAX)  # else it was drained
        assert [record["body_bytes"] for record in edge.on_record()] == [BODY_BYTES_MAX]


async def test_more_openings_than_room_answer_503_and_room_comes_back() -> None:
    edge = Edge(in_flight_max=1)
    gate = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        await gate.wait()
        yield BODY

    first = asyncio.create_task(edge.post(content=slow(), headers=signed()))
    await eventually(lambda: holds(edge, "requests_in_flight", 1))
    assert not (await edge.endpoint.check()).ok
    crowded = await edge.post(content=BODY, headers=signed())
    assert reason_of(crowded) is RefusalReason.OVERLOADED
    assert "retry-after" in crowded.headers
    gate.set()
    assert reason_of(await first) is RefusalReason.BROKER_UNAVAILABLE
    assert reason_of(await edge.post(content=BODY, headers=signed())) is RefusalReason.BROKER_UNAVAILABLE


class Raw:
    """One request at the ASGI level, for what an HTTP client does not do."""

    def __init__(self, messages: Iterable[Message], *, then_wait: bool) -> None:
        self._messages = iter(messages)
        self._then_wait = then_wait
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        for message in self._messages:
            return message
        if self._then_wait:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, edge: Edge) -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": "POST",
            "path": "/webhooks/stripe",
            "raw_path": b"/webhooks/stripe",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"gateway")],
            "state": {},
            "client": ("127.0.0.1", 1),
            "server": ("gateway", 80),
        }
        await edge.app(scope, self.receive, self.send)

    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def _part(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": True}


async def test_body_that_never_ends_is_408_and_the_connection_is_closed() -> None:
    request = Raw([_part(b"{")], then_wait=True)
    await request.run(Edge())
    assert request.sent[0]["status"] == 408
    assert request.headers()[b"connection"] == b"close"


async def test_endless_oversized_body_is_413_and_the_connection_is_closed() -> None:
    request = Raw((_part(b"x" * 1_000_000) for _ in range(DRAIN_BYTES_MAX)), then_wait=True)
    await request.run(Edge())
    assert request.sent[0]["status"] == 413
    assert request.headers()[b"connection"] == b"close"


async def test_body_that_drips_in_too_many_pieces_is_408_and_the_connection_is_closed() -> None:
    edge = Edge(body_bytes_max=2 * PIECES_MAX)
    request = Raw((_part(b"x") for _ in range(2 * PIECES_MAX)), then_wait=False)
    await request.run(edge)
    assert request.sent[0]["status"] == 408
    assert request.headers()[b"connection"] == b"close"


async def test_bodies_that_fill_the_memory_answer_503_and_room_comes_back() -> None:
    edge = Edge(bodies_bytes_max=BODY_BYTES_MAX)
    body = BODY.ljust(BODY_BYTES_MAX - 1)
    gate = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield body
        await gate.wait()
        yield b" "

    first = asyncio.create_task(edge.post(content=slow(), headers=signed(body + b" ")))
    await eventually(lambda: holds(edge, "bodies_bytes", len(body)))
    assert not (await edge.endpoint.check()).ok
    crowded = await edge.post(content=BODY, headers=signed())
    assert reason_of(crowded) is RefusalReason.OVERLOADED
    gate.set()
    assert reason_of(await first) is RefusalReason.BROKER_UNAVAILABLE
    assert await edge.gauge("bodies_bytes") == 0
    assert (await edge.endpoint.check()).ok
    assert reason_of(await edge.post(content=BODY, headers=signed())) is RefusalReason.BROKER_UNAVAILABLE


async def test_client_that_goes_away_gets_no_answer_and_leaves_no_record() -> None:
    edge = Edge()
    request = Raw([_part(b"{")], then_wait=False)
    await request.run(edge)
    assert request.sent == []
    assert edge.on_record() == []
    assert 'outcome="disconnected"' in (await edge.http.get("/metrics")).text


async def test_flood_of_forgeries_is_summarised_and_counted() -> None:
    edge = Edge()
    for _ in range(70):
        await edge.post(content=BODY, headers=signed(secret=OTHER_SECRET))
    assert len(edge.on_record()) == 60
    assert "webhook_gateway_refusals_waiting 60.0" in (await edge.http.get("/metrics")).text
    with capture_logs() as logs:
        await edge.refusals.stop()
    assert [(each["event"][:12], each["count"]) for each in logs if "count" in each] == [("refusals los", 61)]
    summary = edge.on_record()[-1]
    assert (summary["suppressed"], summary["by_reason"]) == (10, {"signature_mismatch": 10})
    metrics = (await edge.http.get("/metrics")).text
    assert 'webhook_gateway_refusals_suppressed_total{source="stripe"} 10.0' in metrics
    assert "webhook_gateway_refusals_unpublished_total 61.0" in metrics


async def test_flag_is_visible_in_metrics_and_route_in_openapi() -> None:
    for flag in (True, False):
        edge = Edge(validation_enabled=flag)
        assert f"webhook_gateway_validation_enabled {float(flag)}" in (await edge.http.get("/metrics")).text
        document = (await edge.http.get("/schema/openapi.json")).json()
        assert {"/webhooks/{source}", "/api/webhooks/{source}", "/health/ready"} <= set(document["paths"])
        assert SECRET.key.decode() not in json.dumps(document)


class UnreadAnswer(Raw):
    """A client that never reads: the answer waits for it."""

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        await asyncio.Event().wait()


async def test_client_that_does_not_read_its_answer_keeps_nobody_out() -> None:
    edge = Edge(in_flight_max=1)
    unread = UnreadAnswer([{"type": "http.request", "body": b"{}", "more_body": False}], then_wait=True)
    waiting = asyncio.create_task(unread.run(edge))
    await eventually(lambda: unread.sent, what="its answer is under way")
    assert (await edge.endpoint.check()).ok
    assert reason_of(await edge.post(content=BODY, headers=signed())) is RefusalReason.BROKER_UNAVAILABLE
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
