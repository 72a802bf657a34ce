"""Stripe's objects against booking's payments: what differs, and its finding (REC-13)."""

from typing import Any

import pytest

from contracts.money import Money
from reconciler.domain.stripe_comparison import (
    Mismatch,
    Own,
    OwnObject,
    OwnPayment,
    compare_charge,
    compare_intent,
    compare_refund,
)
from reconciler.domain.sweep_findings import mismatch

BOOKING = "0198c5a0-0000-7000-8000-000000000001"


def paid(amount: int = 13200, *, currency: str = "USD", **members: Any) -> OwnPayment:
    return OwnPayment(
        **{
            "payment_id": "pi_1",
            "booking_id": BOOKING,
            "captured": Money(amount, currency),
            "refunded": 0,
            "state": "succeeded",
            "is_void": False,
            **members,
        }
    )


def own(payment: OwnPayment | None = None, **objects: list[OwnObject]) -> Own:
    return Own({} if payment is None else {payment.payment_id: payment}, objects)


def intent(**members: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "amount_received": 13200,
        "currency": "usd",
        "status": "succeeded",
        "metadata": {"booking_id": BOOKING},
        **members,
    }


@pytest.mark.parametrize(
    ("item", "payment", "kind"),
    [
        (intent(), paid(), None),
        (intent(), None, "missing_here"),
        (intent(), paid(0, state="pending"), "missing_here"),
        (intent(amount_received=13201), paid(), "amount_differs"),
        (intent(currency="eur"), paid(), "amount_differs"),
        (intent(status="canceled", amount_received=0), paid(), "amount_differs"),
        (intent(status="requires_payment_method", amount_received=0), None, None),
        (intent(status="requires_capture", amount_received=0), paid(0, state="pending"), None),
        (intent(), paid(0, is_void=True), None),
        (intent(currency="isk", amount_received=320000), paid(3200, currency="ISK"), None),
    ],
)
def test_intent_is_compared_with_its_payment(
    item: dict[str, Any], payment: OwnPayment | None, kind: str | None
) -> None:
    found = compare_intent(item, own(payment))
    assert (found and found.kind) == kind


def test_charge_is_compared_only_without_an_intent() -> None:
    charge = {"id": "ch_1", "amount_captured": 500, "amount": 500, "currency": "usd", "status": "succeeded"}
    assert compare_charge({**charge, "payment_intent": "pi_1"}, own()) is None
    found = compare_charge(charge, own())
    assert found is not None
    assert (found.kind, found.at_stripe) == ("missing_here", Money(500, "USD"))
    fact = OwnObject("charge", "succeeded", Money(500, "USD"))
    assert compare_charge(charge, own(ch_1=[fact])) is None
    assert compare_charge({**charge, "captured": False}, own()) is None
    assert compare_charge(charge, own(paid(500, payment_id="ch_1"))) is None


def fact(state: str, amount: int = 500) -> OwnObject:
    return OwnObject("refund", state, Money(amount, "USD"))


@pytest.mark.parametrize(
    ("status", "payment", "facts", "kind"),
    [
        ("succeeded", paid(), [fact("succeeded")], None),
        ("pending", paid(), [fact("pending")], None),
        ("succeeded", paid(), [fact("pending"), fact("succeeded")], None),
        ("succeeded", paid(refunded=500), [], None),
        ("succeeded", paid(refunded=499), [], "missing_here"),
        ("succeeded", None, [], "missing_here"),
        ("succeeded", paid(), [fact("succeeded", 400)], "amount_differs"),
        ("succeeded", paid(), [fact("succeeded"), fact("failed")], "amount_differs"),
        ("failed", paid(), [fact("succeeded")], "amount_differs"),
        ("failed", paid(), [fact("succeeded"), fact("failed")], None),
        ("canceled", paid(), [], None),
    ],
)
def test_refund_is_compared_with_its_facts_else_with_its_payment(
    status: str, payment: OwnPayment | None, facts: list[OwnObject], kind: str | None
) -> None:
    refund = {"id": "re_1", "amount": 500, "currency": "usd", "status": status, "payment_intent": "pi_1"}
    found = compare_refund(refund, own(payment, **({"re_1": facts} if facts else {})))
    assert (found and found.kind) == kind


def test_finding_of_a_mismatch_is_known_by_kind_and_object() -> None:
    found = Mismatch(
        "amount_differs", "refund", "pi_1", "re_1", Money(500, "USD"), Money(400, "USD"), "a client's words"
    )
    finding = mismatch(found)
    assert (finding.type, finding.severity) == ("payment_anomaly", "medium")
    assert finding.booking_id is not None
    assert finding.booking_id.startswith("sha256:"), "the queue is kept for ever"
    assert "5.00 USD at Stripe, 4.00 USD here" in str(finding.explanation)
    later = mismatch(Mismatch("amount_differs", "refund", "pi_1", "re_1", Money(9, "USD"), found.here, None))
    assert later.fingerprint == finding.fingerprint
