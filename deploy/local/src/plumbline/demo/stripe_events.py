"""Stripe's events of the day, in Stripe's format. Amounts are in minor units."""

from datetime import UTC, datetime, timedelta
from typing import Any

_API_VERSION = "2026-09-30"
Json = dict[str, Any]


def payment_event(
    number: int, event_type: str, booking_id: str | None, amount: int, currency: str, *, minutes_ago: int = 0
) -> Json:
    """Return an event about a payment intent. Without `booking_id` its metadata are empty."""
    succeeded = event_type.endswith("succeeded")
    intent: Json = {
        "id": f"pi_{number:06d}",
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount if succeeded else 0,
        "currency": currency.lower(),
        "status": "succeeded" if succeeded else "requires_payment_method",
        "metadata": {} if booking_id is None else {"booking_id": booking_id},
    }
    return _event(f"evt_{number:06d}{'s' if succeeded else 'f'}", event_type, intent, minutes_ago=minutes_ago)


def checkout_event(number: int, booking_id: str, amount: int, currency: str) -> Json:
    """Return the event of a completed and paid Checkout session."""
    session: Json = {
        "id": f"cs_test_{number:06d}",
        "object": "checkout.session",
        "amount_total": amount,
        "currency": currency.lower(),
        "mode": "payment",
        "payment_intent": f"pi_{number:06d}",
        "payment_status": "paid",
        "status": "complete",
        "metadata": {"booking_id": booking_id},
    }
    return _event(f"evt_{number:06d}c", "checkout.session.completed", session)


def refund_events(number: int, amount: int, currency: str) -> tuple[Json, Json]:
    """Return both events of a full refund: about the charge, and about the refund."""
    charge: Json = {
        "id": f"ch_{number:06d}",
        "object": "charge",
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": amount,
        "captured": True,
        "currency": currency.lower(),
        "payment_intent": f"pi_{number:06d}",
        "refunded": True,
        "status": "succeeded",
        "metadata": {},
    }
    refund: Json = {
        "id": f"re_{number:06d}",
        "object": "refund",
        "amount": amount,
        "charge": charge["id"],
        "currency": currency.lower(),
        "payment_intent": charge["payment_intent"],
        "status": "succeeded",
        "metadata": {},
    }
    return (
        _event(f"evt_{number:06d}r", "charge.refunded", charge),
        _event(f"evt_{number:06d}u", "refund.updated", refund),
    )


def dispute_event(number: int, amount: int, currency: str) -> Json:
    """Return the event of a new dispute. It names the intent and no booking, as Stripe's disputes do."""
    dispute: Json = {
        "id": f"dp_{number:06d}",
        "object": "dispute",
        "amount": amount,
        "charge": f"ch_{number:06d}",
        "currency": currency.lower(),
        "payment_intent": f"pi_{number:06d}",
        "reason": "product_not_received",
        "status": "needs_response",
        "metadata": {},
    }
    return _event(f"evt_{number:06d}d", "charge.dispute.created", dispute)


def _event(event_id: str, event_type: str, subject: Json, *, minutes_ago: int = 0) -> Json:
    created = int((datetime.now(UTC) - timedelta(minutes=minutes_ago)).timestamp())  # noqa: TID251 - Stripe's clock
    return {
        "id": event_id,
        "object": "event",
        "api_version": _API_VERSION,
        "created": created,
        "type": event_type,
        "livemode": False,
        "data": {"object": subject},
    }
