"""The webhook route, on bare ASGI: a framework's request handling would cost as much as all the rest.

Order of work (GW-2): route, method and coding → memory → body within limits → handler → response.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

from chassis import clock
from chassis.process.health import Check
from contracts.reasons import RefusalReason
from webhook_gateway.api.body import ClientDisconnectedError, IncomingBody, MemoryBudget, RefusedBody
from webhook_gateway.api.responses import send_received, send_refusal
from webhook_gateway.domain.client_address import client_address
from webhook_gateway.domain.flag_table import AcceptedDelivery, Refusal, refuse
from webhook_gateway.domain.source import AnswerKind, Source
from webhook_gateway.handlers.deliveries import Delivery, DeliveryHandler
from webhook_gateway.handlers.records import Headers, RefusedRequest
from webhook_gateway.handlers.sources import Sources
from webhook_gateway.metrics import SOURCE_UNKNOWN, GatewayMetrics

# The source's name follows. Providers that registered before the move may still use the second (GW-1).
MOUNTS = ("/webhooks", "/api/webhooks")

OUTCOME_DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one process.

    Attributes:
        body_bytes_max: larger bodies answer 413.
        body_seconds_max: slower bodies answer 408.
        bodies_bytes_max: of all bodies in memory together; requests beyond it answer 503.
        in_flight_max: requests beyond it answer 503.
        proxies_trusted: how many proxies append to X-Forwarded-For.
    """

    body_bytes_max: int
    body_seconds_max: int
    bodies_bytes_max: int
    in_flight_max: int
    proxies_trusted: int


class _Request(msgspec.Struct, frozen=True):
    """The head of a request, as far as the gateway uses it."""

    source: str
    method: str
    path: bytes
    headers: Headers
    query: bytes
    peer: str | None


class WebhookEndpoint:
    """ASGI application that turns a request into a delivery, and its result into a response.

    Args:
        sources: the configured sources.
        handler: handles deliveries.
        record_refusal: puts a refusal on record.
        metrics: the gateway's metrics.
        limits: of this process.
        validation_enabled: ENABLE_WEBHOOK_VALIDATION.
    """

    def __init__(
        self,
        sources: Sources,
        handler: DeliveryHandler,
        record_refusal: Callable[[Refusal, RefusedRequest], None],
        metrics: GatewayMetrics,
        limits: Limits,
        *,
        validation_enabled: bool,
    ) -> None:
        self._sources = sources
        self._handler = handler
        self._record_refusal = record_refusal
        self._requests = cache(metrics.requests.labels)
        self._unverified = cache(metrics.unverified.labels)
        self._limits = limits
        self._validation_enabled = validation_enabled
        self._in_flight = 0
        self._in_flight_gauge = metrics.in_flight
        self._memory = MemoryBudget(limits.bodies_bytes_max, metrics.bodies_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request of any method. Only a client that disconnects gets no response."""
        request = _read_scope(scope)
        source = self._sources.get(request.source)
        label = source.name if source else SOURCE_UNKNOWN
        self._count_in_flight(1)
        try:
            result, body, close = await self._handle(source, request, receive)
        except ClientDisconnectedError:
            self._requests(label, OUTCOME_DISCONNECTED).inc()
            return
        finally:
            self._count_in_flight(-1)  # before the response: a client may never read it
        if isinstance(result, AcceptedDelivery):
            del body  # frees its memory while the response is sent
            self._requests(label, result.verification.value).inc()
            if result.unverified_because is not None:
                self._unverified(label, result.unverified_because.value).inc()
            kind = source.answer if source else AnswerKind.JSON
            await send_received(send, kind, result.challenge)
            return
        self._requests(label, result.reason.value).inc()
        self._record_refusal(result, self._refused_request(label, request, body))
        del body  # frees its memory while the response is sent
        await send_refusal(send, result, close=close)

    async def check(self) -> Check:
        """Healthy while one more delivery would stay within the limits."""
        if self._in_flight >= self._limits.in_flight_max:
            return Check(ok=False, detail=f"{self._in_flight} deliveries in flight: no more are accepted")
        if not self._memory.fits(self._limits.body_bytes_max):
            return Check(
                ok=False, detail=f"{self._memory.bytes_taken} bytes of bodies in memory: no room for another"
            )
        return Check(ok=True)

    async def _handle(
        self, source: Source | None, request: _Request, receive: Receive
    ) -> tuple[AcceptedDelivery | Refusal, bytes, bool]:
        """Return the result, the bytes that were read, and whether the connection has to be closed."""
        if source is None:
            return self._refuse(RefusalReason.SOURCE_UNKNOWN), b"", False
        if reason := self._refused_unread(request):
            return self._refuse(reason), b"", False
        incoming = IncomingBody(
            receive,
            self._memory,
            bytes_max=self._limits.body_bytes_max,
            seconds_max=self._limits.body_seconds_max,
        )
        try:
            body = await incoming.read()
            if isinstance(body, RefusedBody):
                return self._refuse(body.reason), body.received, not body.is_drained
            delivery = Delivery(source, request.headers, body, clock.now(), request.query)
            return await self._handler.handle(delivery), body, False
        finally:
            incoming.release()

    def _count_in_flight(self, change: int) -> None:
        self._in_flight += change
        self._in_flight_gauge.set(self._in_flight)

    def _refused_unread(self, request: _Request) -> RefusalReason | None:
        if request.method != "POST":
            return RefusalReason.METHOD_NOT_ALLOWED
        codings = [value for name, value in request.headers if name == b"content-encoding"]
        if codings and any(coding.strip().lower() not in {b"", b"identity"} for coding in codings):
            return RefusalReason.CONTENT_ENCODING_UNSUPPORTED
        return RefusalReason.OVERLOADED if self._in_flight > self._limits.in_flight_max else None

    def _refused_request(self, source: str, request: _Request, body: bytes) -> RefusedRequest:
        return RefusedRequest(
            source=source,
            path=request.path.decode("latin-1"),
            remote_address=client_address(
                request.peer, request.headers, proxies_trusted=self._limits.proxies_trusted
            ),
            headers=request.headers,
            body=body,
            received_at=clock.now(),
        )

    def _refuse(self, reason: RefusalReason) -> Refusal:
        return refuse(reason, validation_enabled=self._validation_enabled)


def _read_scope(scope: Any) -> _Request:
    """Read a scope as uvicorn and `chassis.http.mounts` fill it; a slash after the name is ignored."""
    client = scope["client"]
    return _Request(
        source=scope["path"].removeprefix(scope["path_template"]).removeprefix("/").removesuffix("/"),
        method=scope["method"],
        path=scope["raw_path"],
        headers=scope["headers"],
        query=scope["query_string"],
        peer=client[0] if client else None,
    )
