"""Bookings of the view, priced by the real engine."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from pricing import PriceRequest, rate_card, snapshot, to_json_object
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.evaluate import Evaluation, evaluate
from reconciler.domain.rules import Rules

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
RULES = Rules(drift_min=2, grace=timedelta(hours=24))
PRICE = 13200

_DAY = datetime(2026, 11, 10, 15, 0, tzinfo=UTC)
_VISITS = ((0, 30), (120, 60), (300, 30))


def request(**fields: Any) -> PriceRequest:
    """Drop-ins of 30, 60 and 30 minutes, three pets, holiday: 132.00 (requirements, Pricing)."""
    visits = tuple(
        (_DAY + timedelta(minutes=at), _DAY + timedelta(minutes=at + long)) for at, long in _VISITS
    )
    defaults: dict[str, Any] = {
        "service": "drop-in",
        "starts_at": visits[0][0],
        "ends_at": visits[-1][1],
        "visits": visits,
        "pets": 3,
        "holiday": True,
    }
    return PriceRequest(**{**defaults, **fields})


def booking(price_request: PriceRequest | None = None, **fields: Any) -> StoredBooking:
    """Return a booking that was confirmed two days ago and paid in full, with fields replaced.

    Status and sums that a test does not name agree with the history and with the payments.
    """
    priced = snapshot(price_request or request(), rate_card("default", "2025-01"))
    paid = StoredBooking(
        booking_id="01920000-0000-7000-8000-000000000001",
        status="confirmed",
        history_status="confirmed",
        payment_status="paid",
        currency=priced.currency,
        total=priced.total,
        pricing=json.dumps(to_json_object(priced)),
        captured=priced.total,
        refunded=0,
        charge_count=1,
        payment_currencies=(priced.currency,),
        due_at=NOW - timedelta(days=2),
        cancelled_at=None,
        held=priced.total,
        contradictory_payments=0,
        refund_pending=0,
        disputed=0,
        lost=0,
        pending_payments=0,
        money_changed_at=NOW - timedelta(days=2),
        open_anomalies=0,
        kept_captured=priced.total,
        kept_refunded=0,
        counted_captured=priced.total,
        counted_refunded=0,
    )
    changed = replace(paid, **fields)
    agreeing = {
        "history_status": changed.status,
        "payment_status": "disputed" if changed.disputed else "paid",
        "counted_captured": changed.captured,
        "counted_refunded": changed.refunded,
        "kept_captured": fields.get("counted_captured", changed.captured),
        "kept_refunded": fields.get("counted_refunded", changed.refunded),
    }
    return replace(changed, **{name: value for name, value in agreeing.items() if name not in fields})


def damaged(stored: StoredBooking, damage: Callable[[dict[str, Any]], None]) -> StoredBooking:
    """Return the booking with its snapshot's JSON changed by `damage`."""
    assert stored.pricing is not None
    pricing = json.loads(stored.pricing)
    damage(pricing)
    return replace(stored, pricing=json.dumps(pricing))


def evaluated(stored: StoredBooking, rules: Rules = RULES) -> Evaluation:
    return evaluate(stored, rules, as_of=NOW)
