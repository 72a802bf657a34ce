"""Anomalies of events that are not applied, for any content (BK-7a, BK-7b)."""

import json
from typing import Any

import pytest
from hypothesis import given

from booking.adapters.stripe_anomalies import anomaly_of
from booking.domain.payments import NotApplied, PaymentAnomaly
from contracts.stripe_events import StripeEvent
from unit.booking.test_stripe_events import BOOKING, intent, json_values


def claim(subject: Any, kind: NotApplied = NotApplied.OTHER_MODE, **members: Any) -> PaymentAnomaly:
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": subject}, **members}
    return anomaly_of(StripeEvent(event), kind, event_id="evt_1")


def test_claim_names_payment_booking_and_amount() -> None:
    payment = claim(intent(currency="jpy", amount_received=3200))
    assert (payment.payment_id, payment.booking_reference, str(payment.captured)) == (
        "pi_1",
        BOOKING,
        "3200 JPY",
    )


def test_objects_of_one_payment_claim_the_same_payment() -> None:
    session = {
        "id": "cs_1",
        "object": "checkout.session",
        "payment_intent": "pi_1",
        "amount_total": 5,
        "currency": "usd",
    }
    payment = claim(session)
    assert (payment.payment_id, str(payment.captured)) == ("pi_1", "0.05 USD")


@pytest.mark.parametrize(
    ("kind", "members", "words"),
    [
        (NotApplied.OTHER_MODE, {"livemode": False}, "STRIPE_MODE=test"),
        (NotApplied.OTHER_MODE, {"livemode": True}, "STRIPE_MODE=live"),
        (NotApplied.OTHER_ACCOUNT, {"account": "acct_7"}, "STRIPE_ACCOUNT=acct_7"),
        (
            NotApplied.THIN_EVENT,
            {"data": None, "related_object": {"id": "pi_7", "type": "payment_intent"}},
            "it names payment_intent pi_7",
        ),
    ],
)
def test_explanation_says_what_to_do(kind: NotApplied, members: dict[str, Any], words: str) -> None:
    assert words in claim(intent(), kind, **members).explanation


@given(json_values)
def test_any_object_is_claimed(subject: Any) -> None:
    for kind in NotApplied:
        anomaly = claim(subject, kind, related_object=subject, account=subject)
        for text in (
            anomaly.payment_id,
            anomaly.booking_reference or "",
            anomaly.explanation,
        ):
            assert "\0" not in text
            text.encode()
        json.dumps(anomaly.captured.amount)
