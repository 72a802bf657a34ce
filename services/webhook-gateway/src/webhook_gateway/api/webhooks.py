"""The webhook route, on bare ASGI: a framework's request handling would cost as much as everything else here.

Order of work (GW-2): route, method and coding → room → body within limits → handler → answer.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

from chassis import clock
from chassis.process.health import Check
from chassis.process.timeouts import Timeouts
from contracts.reasons import RefusalReason
from webhook_gateway.api.answers import answer_received, answer_refusal
from webhook_gateway.api.body import BodyRefused, ClientDisconnectedError, IncomingBody, Room
from webhook_gateway.domain.client_address import client_address
from webhook_gateway.domain.policy import Passed, Refusal, refuse
from webhook_gateway.domain.source import AnswerKind, Source
from webhook_gateway.handlers.deliveries import Delivery, DeliveryHandler
from webhook_gateway.handlers.observations import SOURCE_UNKNOWN, Observations
from webhook_gateway.handlers.records import Headers, RefusedRequest
from webhook_gateway.handlers.refusals import RefusalLog
from webhook_gateway.handlers.sources import Sources

MOUNTS = ("/webhooks", "/api/webhooks")
"""A source's name follows. The second is where providers may still send to from before the move (GW-1)."""

OUTCOME_DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process takes on.

    Attributes:
        body_bytes_max: larger bodies answer 413.
        body_seconds_max: slower ones 408.
        bodies_bytes_max: of all bodies in memory together; requests that find no room answer 503.
        in_flight_max: further requests answer 503.
        proxies_trusted: how many proxies append to X-Forwarded-For.
    """

    body_bytes_max: int
    body_seconds_max: int
    bodies_bytes_max: int
    in_flight_max: int
    proxies_trusted: int


class _Request(msgspec.Struct, frozen=True):
    """What a scope says, and nothing of its body."""

    source: str
    method: str
    path: bytes
    headers: Headers
    query: bytes
    peer: str | None


class WebhookEndpoint:
    """Translates one request into a delivery and the verdict back into an answer.

    Args:
        sources: those of each moment.
        handler: takes deliveries.
        refusals: keeps the record of those not taken.
        observations: the gateway's metrics.
        limits: of this process.
        validation_enabled: ENABLE_WEBHOOK_VALIDATION.
    """

    def __init__(
        self,
        sources: Sources,
        handler: DeliveryHandler,
        refusals: RefusalLog,
        observations: Observations,
        limits: Limits,
        *,
        validation_enabled: bool,
    ) -> None:
        self._sources = sources
        self._handler = handler
        self._refusals = refusals
        self._requests = observations.requests
        self._unverified = observations.unverified
        self._limits = limits
        self._validation_enabled = validation_enabled
        self._in_flight = 0
        self._room = Room(limits.bodies_bytes_max)
        self._body_timeouts = Timeouts(limits.body_seconds_max)
        observations.in_flight.set_function(lambda: self._in_flight)
        observations.bodies_bytes.set_function(lambda: self._room.bytes_taken)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of whatever method: each gets a typed answer."""
        request = _read_scope(scope)
        source = self._sources.get(request.source)
        label = source.name if source else SOURCE_UNKNOWN
        self._in_flight += 1
        try:
            outcome, body, close = await self._take(source, request, receive)
        except ClientDisconnectedError:
            self._requests.count(label, OUTCOME_DISCONNECTED)
            return
        finally:
            self._in_flight -= 1  # before the answer: who does not read it must not keep others out
        if isinstance(outcome, Passed):
            del body  # its room is given back
            self._requests.count(label, outcome.verification.value)
            if outcome.unverified_because is not None:
                self._unverified.count(label, outcome.unverified_because.value)
            kind = source.answer if source else AnswerKind.JSON
            await answer_received(send, kind, outcome.challenge)
            return
        self._requests.count(label, outcome.reason.value)
        self._refusals.note(outcome, self._remembered(label, request, body))
        del body  # its room is given back
        await answer_refusal(send, outcome, close=close)

    async def check(self) -> Check:
        """Whether a delivery that came now would find room."""
        if self._in_flight >= self._limits.in_flight_max:
            return Check(ok=False, detail=f"{self._in_flight} deliveries under way: no more are taken")
        if not self._room.has(self._limits.body_bytes_max):
            return Check(
                ok=False, detail=f"{self._room.bytes_taken} bytes of bodies held: no room for another"
            )
        return Check(ok=True)

    async def _take(
        self, source: Source | None, request: _Request, receive: Receive
    ) -> tuple[Passed | Refusal, bytes, bool]:
        """The verdict, what was read of the body, and whether the connection has to be closed."""
        if source is None:
            return self._refuse(RefusalReason.SOURCE_UNKNOWN), b"", False
        if reason := self._refused_unread(request):
            return self._refuse(reason), b"", False
        incoming = IncomingBody(
            receive, self._room, bytes_max=self._limits.body_bytes_max, timeouts=self._body_timeouts
        )
        try:
            body = await incoming.read()
            if isinstance(body, BodyRefused):
                return self._refuse(body.reason), body.received, not body.is_drained
            delivery = Delivery(source, request.headers, body, clock.now(), request.query)
            return await self._handler.handle(delivery), body, False
        finally:
            incoming.release()

    def _refused_unread(self, request: _Request) -> RefusalReason | None:
        if request.method != "POST":
            return RefusalReason.METHOD_NOT_ALLOWED
        codings = [value for name, value in request.headers if name == b"content-encoding"]
        if codings and any(coding.strip().lower() not in {b"", b"identity"} for coding in codings):
            return RefusalReason.CONTENT_ENCODING_UNSUPPORTED
        return RefusalReason.OVERLOADED if self._in_flight > self._limits.in_flight_max else None

    def _remembered(self, source: str, request: _Request, body: bytes) -> RefusedRequest:
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
    """Read a scope as uvicorn and `chassis.http.mounts` fill it; a slash behind the name is ignored."""
    client = scope["client"]
    return _Request(
        source=scope["path"].removeprefix(scope["path_template"]).removeprefix("/").removesuffix("/"),
        method=scope["method"],
        path=scope["raw_path"],
        headers=scope["headers"],
        query=scope["query_string"],
        peer=client[0] if client else None,
    )
