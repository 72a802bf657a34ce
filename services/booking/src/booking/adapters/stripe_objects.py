"""Readers of Stripe's objects: what an event says about one (docs.stripe.com/api).

API versions put some members in different places; each reader knows them:

* Until 2025-03-31 an invoice has `payment_intent`, `charge` and `paid_out_of_band`, and intents and charges
  have `invoice`. Later versions link them by invoice payments
  (docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices).
* Until 2022-11-15 an intent has its `charges`, a charge its `refunds`; later ones have `latest_charge`.
* Until 2019-02-11 some statuses of an intent have other names.

Members that are not needed are ignored. A member without which a fact cannot exist is required: the id, and
the amount of money that moved.
"""

from collections.abc import Mapping

from booking.adapters.stripe_values import (
    code,
    linked_id,
    members,
    required_id,
    required_money,
    seconds,
    stored_id,
    text,
)
from booking.domain.facts import Fact, Kind, Links, State
from contracts.ids import booking_reference
from contracts.money import Money
from contracts.stripe_events import JsonObject, member, referenced_booking

PROVIDER = "stripe"

_INTENT_STATES: Mapping[str | None, State] = {"succeeded": State.SUCCEEDED, "canceled": State.CANCELED}
# docs.stripe.com/api/refunds/object. An unknown status counts as on its way.
_REFUND_STATES: Mapping[str | None, State] = {
    "succeeded": State.SUCCEEDED,
    "failed": State.FAILED,
    "canceled": State.CANCELED,
}
# docs.stripe.com/api/disputes/object. `charge_refunded` (old) ended without a loss beyond the refund; a
# `prevented` dispute was stopped before it took money. An unknown status counts as open.
_DISPUTE_STATES: Mapping[str | None, State] = {
    "warning_needs_response": State.INQUIRY,
    "warning_under_review": State.INQUIRY,
    "warning_closed": State.INQUIRY_CLOSED,
    "prevented": State.INQUIRY_CLOSED,
    "won": State.WON,
    "charge_refunded": State.WON,
    "lost": State.LOST,
}


def read_intent(intent: JsonObject, event_type: str, event_id: str, occurred_at: int) -> list[Fact]:
    """Return the fact about a payment intent."""
    failed = State.FAILED if event_type.endswith(".payment_failed") else State.PENDING
    state = _INTENT_STATES.get(text(intent, "status"), failed)
    if event_type.endswith(".succeeded"):
        state = State.SUCCEEDED
    charges = members(intent, "charges")
    charge = linked_id(intent.get("latest_charge")) or (linked_id(charges[0]) if charges else None)
    error = member(intent, "last_payment_error")
    return [
        Fact(
            provider=PROVIDER,
            event_id=event_id,
            occurred_at=occurred_at,
            kind=Kind.INTENT,
            object_id=required_id(intent),
            object_created_at=seconds(intent.get("created")),
            state=state,
            # `amount` is what was asked for. It stands in where `amount_received` is missing.
            amount=required_money(intent, "amount_received", "amount") if state is State.SUCCEEDED else None,
            links=Links(charge=charge, invoice=linked_id(intent.get("invoice"))),
            booking_reference=_reference(intent),
            reason=code(error.get("decline_code")) or code(error.get("code")),
        )
    ]


def read_session(session: JsonObject, event_type: str, event_id: str, occurred_at: int) -> list[Fact]:
    """Return the fact about a Checkout session (docs.stripe.com/api/checkout/sessions/object)."""
    state = _session_state(text(session, "payment_status"), event_type)
    intent = linked_id(session.get("payment_intent"))
    return [
        Fact(
            provider=PROVIDER,
            event_id=event_id,
            occurred_at=occurred_at,
            kind=Kind.SESSION,
            object_id=required_id(session),
            object_created_at=seconds(session.get("created")),
            state=state,
            amount=required_money(session, "amount_total") if state is State.SUCCEEDED else None,
            links=Links(intents=_one(intent), invoice=linked_id(session.get("invoice"))),
            booking_reference=_reference(session) or _client_reference(session),
        )
    ]


def _session_state(payment_status: str | None, event_type: str) -> State:
    if event_type.endswith(".expired"):
        return State.EXPIRED
    if event_type.endswith(".async_payment_failed"):
        return State.FAILED
    if event_type.endswith(".async_payment_succeeded"):
        return State.SUCCEEDED
    match payment_status:
        case "paid":
            return State.SUCCEEDED
        case "no_payment_required":
            return State.NOTHING_DUE
        case _:
            return State.PENDING


def read_invoice(invoice: JsonObject, event_type: str, event_id: str, occurred_at: int) -> list[Fact]:
    """Return the fact about an invoice.

    Out of band are an invoice that says so, and one whose payments are all records of payments elsewhere.
    """
    payments = [member(payment, "payment") for payment in members(invoice, "payments")]
    linked = [linked_id(invoice.get("payment_intent"))]
    linked += [linked_id(payment.get("payment_intent")) for payment in payments]
    intents = tuple(dict.fromkeys(intent for intent in linked if intent is not None))
    charges = [linked_id(invoice.get("charge")), *(linked_id(payment.get("charge")) for payment in payments)]
    is_elsewhere = bool(payments) and all(payment.get("type") == "payment_record" for payment in payments)
    if event_type.endswith(".payment_failed"):
        state = State.FAILED
    elif invoice.get("paid_out_of_band") is True or is_elsewhere:
        state = State.OUT_OF_BAND
    else:
        state = State.SUCCEEDED
    return [
        Fact(
            provider=PROVIDER,
            event_id=event_id,
            occurred_at=occurred_at,
            kind=Kind.INVOICE,
            object_id=required_id(invoice),
            object_created_at=seconds(invoice.get("created")),
            state=state,
            amount=None if state is State.FAILED else _paid(invoice, state),
            links=Links(intents=intents, charge=next((charge for charge in charges if charge), None)),
            booking_reference=_invoice_reference(invoice),
        )
    ]


def _paid(invoice: JsonObject, state: State) -> Money:
    paid = required_money(invoice, "amount_paid")
    # Old API versions leave `amount_paid` at 0 for an invoice that was paid out of band.
    if paid.amount == 0 and state is State.OUT_OF_BAND and invoice.get("amount_due") is not None:
        return required_money(invoice, "amount_due")
    return paid


def _invoice_reference(invoice: JsonObject) -> str | None:
    """Return the booking of an invoice: its own metadata, else those of its subscription."""
    details = member(member(invoice, "parent"), "subscription_details")
    places = (invoice, details, member(invoice, "subscription_details"))
    return next((reference for place in places if (reference := _reference(place)) is not None), None)


def read_invoice_payment(payment: JsonObject, _type: str, event_id: str, occurred_at: int) -> list[Fact]:
    """Return the link between an invoice and its intent (docs.stripe.com/api/invoice-payment/object).

    A record of a payment elsewhere says that the invoice was paid out of band.
    """
    invoice, paid_with = linked_id(payment.get("invoice")), member(payment, "payment")
    if paid_with.get("type") == "payment_record" and invoice is not None:
        return [
            Fact(
                provider=PROVIDER,
                event_id=event_id,
                occurred_at=occurred_at,
                kind=Kind.INVOICE,
                object_id=invoice,
                state=State.OUT_OF_BAND,
                amount=required_money(payment, "amount_paid"),
            )
        ]
    return [
        Fact(
            provider=PROVIDER,
            event_id=event_id,
            occurred_at=occurred_at,
            kind=Kind.INVOICE_PAYMENT,
            object_id=required_id(payment),
            object_created_at=seconds(payment.get("created")),
            state=State.SUCCEEDED,
            links=Links(
                intents=_one(linked_id(paid_with.get("payment_intent"))),
                charge=linked_id(paid_with.get("charge")),
                invoice=invoice,
            ),
        )
    ]


def read_charge(charge: JsonObject, event_type: str, event_id: str, occurred_at: int) -> list[Fact]:
    """Return the facts about a charge, and about its refunds where an old API version includes them."""
    object_id, intent = required_id(charge), linked_id(charge.get("payment_intent"))
    status = text(charge, "status")
    if status == "failed" or event_type.endswith(".failed"):
        state = State.FAILED
    elif charge.get("captured") is False or status == "pending":
        state = State.PENDING
    else:
        state = State.SUCCEEDED
    is_paid = state is State.SUCCEEDED
    refunded = required_money(charge, "amount_refunded") if charge.get("amount_refunded") else None
    fact = Fact(
        provider=PROVIDER,
        event_id=event_id,
        occurred_at=occurred_at,
        kind=Kind.CHARGE,
        object_id=object_id,
        object_created_at=seconds(charge.get("created")),
        state=state,
        amount=required_money(charge, "amount_captured", "amount") if is_paid else None,
        refunded=(0 if refunded is None else refunded.amount) if is_paid else None,
        links=Links(intents=_one(intent), invoice=linked_id(charge.get("invoice"))),
        booking_reference=_reference(charge),
        reason=code(charge.get("failure_code")),
    )
    links = Links(intents=_one(intent), charge=object_id)
    refunds = [_refund(refund, event_id, occurred_at, links) for refund in members(charge, "refunds")]
    return [fact, *refunds]


def read_refund(refund: JsonObject, event_type: str, event_id: str, occurred_at: int) -> list[Fact]:
    """Return the fact about a refund. `charge.refund.updated` has the refund as its object too."""
    failed = event_type.endswith("refund.failed")
    return [_refund(refund, event_id, occurred_at, Links(), State.FAILED if failed else None)]


def _refund(
    refund: JsonObject, event_id: str, occurred_at: int, links: Links, state: State | None = None
) -> Fact:
    return Fact(
        provider=PROVIDER,
        event_id=event_id,
        occurred_at=occurred_at,
        kind=Kind.REFUND,
        object_id=required_id(refund),
        object_created_at=seconds(refund.get("created")),
        state=state or _REFUND_STATES.get(text(refund, "status"), State.PENDING),
        amount=required_money(refund, "amount"),
        links=Links(
            intents=_one(linked_id(refund.get("payment_intent"))) or links.intents,
            charge=linked_id(refund.get("charge")) or links.charge,
        ),
        booking_reference=_reference(refund),
        reason=code(refund.get("failure_reason")),
    )


def read_dispute(dispute: JsonObject, _type: str, event_id: str, occurred_at: int) -> list[Fact]:
    """Return the fact about a dispute."""
    return [
        Fact(
            provider=PROVIDER,
            event_id=event_id,
            occurred_at=occurred_at,
            kind=Kind.DISPUTE,
            object_id=required_id(dispute),
            object_created_at=seconds(dispute.get("created")),
            state=_DISPUTE_STATES.get(text(dispute, "status"), State.OPEN),
            amount=required_money(dispute, "amount"),
            links=Links(
                intents=_one(linked_id(dispute.get("payment_intent"))),
                charge=linked_id(dispute.get("charge")),
            ),
            booking_reference=_reference(dispute),
            reason=code(dispute.get("reason")),
        )
    ]


def _one(link: str | None) -> tuple[str, ...]:
    return () if link is None else (link,)


def _reference(subject: JsonObject) -> str | None:
    reference = referenced_booking(subject)
    return None if reference is None else stored_id(reference)


def _client_reference(session: JsonObject) -> str | None:
    reference = booking_reference([session.get("client_reference_id")])
    return None if reference is None else stored_id(reference)
