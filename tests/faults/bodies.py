"""What the providers send, in their own form. The same operation has the same bytes each time it is sent."""

import json
from dataclasses import dataclass
from typing import Any

from faults.plan import SMS, Op, Operation, booking_name

CREATED = 1_773_000_000
"""Stripe's `created`, one and the same: order must not come from clocks."""


@dataclass(frozen=True, slots=True)
class Made:
    """A booking as its making was answered; `total` in minor units."""

    id: str
    total: int
    currency: str


NOBODY = Made("", 13_200, "USD")
"""Stands for the booking of what is about none."""


def booking_request(number: int) -> dict[str, Any]:
    """The body of `POST /api/bookings`."""
    return {
        "client": {"name": booking_name(number), "phone": "+13125550100"},
        "service": "drop-in",
        "starts_at": "2026-03-10T15:00:00Z",
        "ends_at": "2026-03-10T15:30:00Z",
        "pets": [{"name": "Rex", "species": "dog"}],
    }


def delivery_body(operation: Operation, made: Made, *, created: int = CREATED) -> bytes:
    """The body of a delivery about `made`; `created` is Stripe's."""
    content = _sms(operation) if operation.op in SMS else _stripe(operation, made, created)
    return json.dumps(content).encode()


def _stripe(operation: Operation, made: Made, created: int) -> dict[str, Any]:
    failed = operation.op is Op.FAILED
    amount: Any = _amount(operation, made.total)
    return {
        "id": operation.id,
        "object": "event",
        "api_version": "2026-09-30",
        "created": created,
        "type": f"payment_intent.{'payment_failed' if failed else 'succeeded'}",
        "data": {
            "object": {
                "id": f"pi_{operation.id}" if operation.op is Op.UNKNOWN else operation.object_id,
                "object": "payment_intent",
                "amount": made.total,
                "amount_received": 0 if failed else amount,
                "currency": made.currency.lower(),
                "metadata": _metadata(operation, made),
            }
        },
    }


def _amount(operation: Operation, total: int) -> int | str:
    """Poison is a sum that no honest Stripe sends: it is well signed, and cannot be read."""
    if operation.op is Op.POISON:
        return f"{total}.00"
    return total // 2 if operation.op is Op.PART else total


def _metadata(operation: Operation, made: Made) -> dict[str, str]:
    if operation.op is Op.UNKNOWN:
        return {"booking_id": operation.object_id}
    return {"booking_id": made.id} if made.id else {}


def _sms(operation: Operation) -> dict[str, Any]:
    text = "On my way"
    if operation.op is Op.SMS_LEGACY:
        message = {"id": operation.object_id, "object": "message", "direction": "incoming", "body": text}
        data: dict[str, Any] = {"object": message | {"from": "+13125550101", "to": "+13125550100"}}
    else:
        data = {
            "resource": {"id": operation.object_id, "object": "message", "text": text},
            "context": {"senderIdentifier": "+13125550101"},
            "links": {},
        }
    return {"id": operation.id, "object": "event", "type": "message.received", "data": data}
