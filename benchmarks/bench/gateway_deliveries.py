"""Deliveries of Stripe as bytes: made, signed and framed before they are sent. Standard library only."""

import hashlib
import hmac
import json
from dataclasses import dataclass

PATH = "/webhooks/stripe"
BODY_BYTES = 3_072
"""About what a `payment_intent.succeeded` with its customer, charge and metadata has."""

KEYS = 2_000
"""Bookings that the events are about, unless a row wants one only."""

AMOUNT = 13_200
"""What each pays: the price of the bookings that tests insert."""

_FORGED_SECRET = b"whsec_of_somebody_who_has_to_guess_it"
_ID_AT = len('{\n  "id": "')

_EVENT = {
    "id": "%(id)s",
    "object": "event",
    "api_version": "2025-06-30.basil",
    "created": "%(created)s",
    "data": {
        "object": {
            "id": "pi_%(id)s",
            "object": "payment_intent",
            "amount": AMOUNT,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": AMOUNT,
            "application": None,
            "automatic_payment_methods": {"allow_redirects": "never", "enabled": True},
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic_async",
            "client_secret": "pi_%(id)s_secret_JtS0nRkLbYkUqXwZ",
            "confirmation_method": "automatic",
            "created": "%(created)s",
            "currency": "usd",
            "customer": "cus_Q4mWkTzXr81bLf",
            "description": "",
            "last_payment_error": None,
            "latest_charge": "ch_%(id)s",
            "livemode": False,
            "metadata": {"booking_id": "%(key)s", "service": "dog-walking", "sitter": "Ana Müller"},
            "next_action": None,
            "payment_method": "pm_1PqK8yLkdIwHu7ixzW0nT3aC",
            "payment_method_options": {
                "card": {
                    "installments": None,
                    "mandate_options": None,
                    "network": None,
                    "request_three_d_secure": "automatic",
                }
            },
            "payment_method_types": ["card"],
            "receipt_email": "client@example.com",
            "setup_future_usage": None,
            "shipping": {
                "address": {"city": "Chicago", "country": "US", "line1": "12 Elm St", "postal_code": "60601"},
                "name": "Sam Client",
                "phone": "+13125550123",
            },
            "statement_descriptor": None,
            "status": "succeeded",
            "transfer_data": None,
        }
    },
    "livemode": False,
    "pending_webhooks": 1,
    "request": {"id": "req_Vt5yq0mXkq3u8N", "idempotency_key": "0d6f5a1e-5d1c-4e4c-8f0b-2b7f7d1b9a51"},
    "type": "payment_intent.succeeded",
}


def _template() -> bytes:
    """The event as Stripe writes JSON, its description as long as the whole needs."""
    text = json.dumps(_EVENT, indent=2, ensure_ascii=False).replace('"%(created)s"', "%(created)s")
    fields = {"id": _id("0" * 8, 0), "created": f"{0:010}", "key": booking_id(0)}
    missing = BODY_BYTES - len((text % fields).encode())
    return text.replace('"description": ""', f'"description": "{"Visit. " * BODY_BYTES:.{missing}}"').encode()


def _id(tag: str, number: int) -> str:
    return f"evt_{tag}{number:016}"


def booking_id(number: int) -> str:
    """The booking of that number: the key of its events."""
    return f"{number:08x}-0000-7000-8000-000000000000"


_ID_BYTES = len(_id("0" * 8, 0))
_TAG = slice(len("evt_"), len("evt_") + 8)


def id_in(body: bytes) -> str:
    """The id of the event that a body holds, if it is one of these."""
    return body[_ID_AT : _ID_AT + _ID_BYTES].decode(errors="replace")


def tag_in(event_id: str) -> str:
    """Which load's event it is."""
    return event_id[_TAG]


def number_in(event_id: str) -> int:
    """Which of that load's."""
    return int(event_id[_TAG.stop :])


_TEMPLATE = _template().replace(b")s", b")b")


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Numbered deliveries, each an event of its own.

    Attributes:
        tag: eight hexadecimal digits, unlike those of any other load on the same topic.
        created: seconds since 1970, in every body and every signature.
        keys: how many bookings the events are about, in turn.
        genuine_every: one in so many is signed with the secret, the others are forged; 0: none is.
        first_key: the number of the first of these bookings.
    """

    tag: str
    created: int
    keys: int = KEYS
    genuine_every: int = 1
    first_key: int = 0

    def is_genuine(self, number: int) -> bool:
        """Return whether the delivery is signed with the secret."""
        return self.genuine_every > 0 and number % self.genuine_every == 0

    def event_id(self, number: int) -> str:
        """Of that one; as long as Stripe's own."""
        return _id(self.tag, number)

    def body(self, number: int) -> bytes:
        """Exactly as it is sent."""
        return _TEMPLATE % {
            b"id": self.event_id(number).encode(),
            b"created": b"%d" % self.created,
            b"key": booking_id(self.first_key + number % self.keys).encode(),
        }

    def request(self, number: int, secret: bytes) -> bytes:
        """The whole of an HTTP/1.1 request."""
        body = self.body(number)
        key = secret if self.is_genuine(number) else _FORGED_SECRET
        signature = hmac.digest(key, b"%d.%b" % (self.created, body), hashlib.sha256).hex()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)"
            "\r\nAccept: */*; q=0.5, application/xml\r\nContent-Type: application/json; charset=utf-8"
            f"\r\nContent-Length: {len(body)}\r\nStripe-Signature: t={self.created},v1={signature}\r\n\r\n"
        )
        return head.encode() + body
