"""The webhook providers, Stripe and SMS, and forgers. Every delivery is recorded."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from plumbline.signing import sign_quo, sign_sms_legacy, sign_stripe

STALE = timedelta(minutes=20)
_FORGED_STRIPE = "whsec_" + "0" * 32
_FORGED_SMS = "whsec_" + "MDAw" * 10


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery and its response.

    Attributes:
        kind: the row of the table in which it is counted.
        source: "stripe" or "sms".
        event_id: the provider's id of the event.
        status: HTTP status code of the response.
        genuine: whether the signature is valid and recent.
    """

    kind: str
    source: str
    event_id: str
    status: int
    genuine: bool


@dataclass(slots=True)
class Senders:
    """Signs and delivers webhooks over HTTP.

    Attributes:
        http: the HTTP client.
        gateway: base URL of the gateway.
        secrets: as in `stack.json`: stripe, sms_legacy, sms.
        sent: all deliveries so far, in order.
    """

    http: httpx.AsyncClient
    gateway: str
    secrets: dict[str, str]
    sent: list[Sent] = field(default_factory=list[Sent])

    async def stripe(self, kind: str, event: dict[str, Any], *, how: str = "good") -> None:
        """Deliver a Stripe event. `how` is "good", "forged", "unsigned" or "stale"."""
        body = json.dumps(event).encode()
        secret = _FORGED_STRIPE if how == "forged" else self.secrets["stripe"]
        headers = {} if how == "unsigned" else sign_stripe(body, secret, _signed_at(how))
        await self._post(kind, "stripe", event["id"], body, headers, genuine=how == "good")

    async def sms(
        self, kind: str, number: int, text: str, *, how: str = "good", legacy: bool = False
    ) -> None:
        """Deliver an inbound SMS, signed as OpenPhone (`legacy`) or Quo. `how` is as for `stripe`."""
        event_id = f"EV{number:06d}"
        event = _legacy_sms(event_id, number, text) if legacy else _quo_sms(event_id, number, text)
        body = json.dumps(event).encode()
        if how == "unsigned":
            headers: dict[str, str] = {}
        elif legacy:
            headers = sign_sms_legacy(body, self.secrets["sms_legacy"], _signed_at(how))
        else:
            secret = _FORGED_SMS if how == "forged" else self.secrets["sms"]
            headers = sign_quo(body, secret, _signed_at(how), event_id)
        await self._post(kind, "sms", event_id, body, headers, genuine=how == "good")

    async def _post(
        self, kind: str, source: str, event_id: str, body: bytes, headers: dict[str, str], *, genuine: bool
    ) -> None:
        response = await self.http.post(
            f"{self.gateway}/webhooks/{source}",
            content=body,
            headers={"content-type": "application/json", **headers},
        )
        self.sent.append(Sent(kind, source, event_id, response.status_code, genuine))


def _signed_at(how: str) -> datetime:
    now = datetime.now(UTC)  # noqa: TID251 - the provider's clock
    return now - STALE if how == "stale" else now


def _legacy_sms(event_id: str, number: int, text: str) -> dict[str, Any]:
    message = {
        "id": f"AC{number:06d}",
        "object": "message",
        "from": f"+1312555{number:04d}",
        "to": "+13125550000",
        "direction": "incoming",
        "body": text,
    }
    return {
        "id": event_id,
        "object": "event",
        "apiVersion": "v2",
        "type": "message.received",
        "data": {"object": message},
    }


def _quo_sms(event_id: str, number: int, text: str) -> dict[str, Any]:
    return {
        "id": event_id,
        "type": "message.received",
        "data": {
            "resource": {"id": f"AC{number:06d}", "object": "message", "text": text},
            "context": {"senderIdentifier": f"+1312555{number:04d}"},
            "links": {},
        },
    }
