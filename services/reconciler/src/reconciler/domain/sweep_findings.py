"""Findings of the Stripe sweep (REC-13)."""

import hashlib
import json

from contracts.ids import booking_id_of, recorded_id
from contracts.money import Money
from reconciler.domain.explanations import explain_reported
from reconciler.domain.findings import Finding, payment_anomaly, payment_anomaly_fingerprint
from reconciler.domain.stripe_comparison import NOTHING, Mismatch
from reconciler.domain.swept_events import SweptEvent

PROVIDER = "stripe"


def delivery_missed_fingerprint(event_id: str) -> str:
    return _digest(["delivery_missed", PROVIDER, event_id])


def delivery_missed(event: SweptEvent) -> Finding:
    """Return the finding of an event that was never delivered. What is at stake is unknown: medium."""
    return Finding(
        type="delivery_missed",
        booking_id=_booking(event.booking),
        drift_class=None,
        severity="medium",
        title=f"Stripe's event {event.id} ({event.type}) was never delivered",
        fingerprint=delivery_missed_fingerprint(event.id),
        explanation=explain_reported(
            "delivery_missed",
            f"Stripe made the event {event.id} ({event.type}) on {event.created_at:%Y-%m-%d %H:%M} UTC,"
            " and it was never delivered.",
            {
                "provider": PROVIDER,
                "event_id": event.id,
                "event_type": event.type,
                "occurred_at": event.created_at.isoformat(),
            },
            charged=None,
            remark="the sweep has published the event; the exception closes when booking has it",
        ),
    )


def mismatch_fingerprint(kind: str, payment_id: str, object_id: str) -> str:
    return payment_anomaly_fingerprint(kind, PROVIDER, payment_id, object_id)


def mismatch(difference: Mismatch) -> Finding:
    """Return the finding of money that Stripe and booking count differently."""
    at_stake = difference.here if difference.kind == "missing_at_stripe" else difference.at_stripe
    if at_stake == NOTHING:
        at_stake = difference.here
    return payment_anomaly(
        booking_id=_booking(difference.booking),
        kind=difference.kind,
        provider=PROVIDER,
        payment_id=difference.payment_id,
        subject=difference.object_id,
        captured=at_stake,
        explanation=_sentence(difference),
    )


def _sentence(difference: Mismatch) -> str:
    name = f"{difference.object_type.replace('_', ' ')} {difference.object_id}"
    match difference.kind:
        case "missing_here":
            return f"Stripe has the {name} over {difference.at_stripe}; booking does not count it"
        case "missing_at_stripe":
            return f"booking counts the {name} over {difference.here}; Stripe does not have it"
        case "amount_differs":
            return f"{name}: {_amount(difference.at_stripe)} at Stripe, {_amount(difference.here)} here"


def _amount(money: Money) -> str:
    return "nothing" if money == NOTHING else str(money)


def _booking(text: str | None) -> str | None:
    # The queue is kept for ever: a text that is no id stands there as its digest.
    return None if text is None else booking_id_of(text) or recorded_id(text)


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
