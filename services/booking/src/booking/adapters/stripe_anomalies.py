"""Anomalies of Stripe events that are not applied. The reader is lenient and refuses no event."""

from booking.domain.payments import NotApplied, PaymentAnomaly
from contracts.currencies import NO_CURRENCY
from contracts.ids import id_or_digest
from contracts.money import Money
from contracts.stripe_amounts import AmountError, currency_code, from_stripe
from contracts.stripe_events import JsonObject, StripeEvent, referenced_booking
from contracts.text import sanitize_for_postgres

PROVIDER = "stripe"

# Members with an amount, in order of preference: amounts of money that moved come first.
_AMOUNTS = ("amount_received", "amount_total", "amount_paid", "amount_refunded", "amount")
_AMOUNT_MAX = 10**15


def anomaly_of(
    event: StripeEvent, kind: NotApplied, *, event_id: str, failure: str | None = None
) -> PaymentAnomaly:
    """Return the anomaly of an event: its payment as claimed, why the event is not applied, what to do.

    Args:
        event: about money.
        kind: why the event is not applied.
        event_id: of the message.
        failure: why the object of a thin event was not fetched; None if it was not asked for.
    """
    subject = event.subject or event.related
    reference = referenced_booking(subject)
    payment_id = _id(_payment_id(subject) or event_id)
    return PaymentAnomaly(
        booking_id=None,
        sequence=None,
        provider=PROVIDER,
        payment_id=payment_id,
        booking_reference=None if reference is None else _id(reference),
        captured=_captured(subject),
        kind=kind,
        subject=payment_id,
        explanation=sanitize_for_postgres(_explain(event, kind, failure)),
    )


def _explain(event: StripeEvent, kind: NotApplied, failure: str | None) -> str:
    name = _short(event.type)
    match kind:
        case NotApplied.OTHER_MODE:
            mode, other = ("live", "test") if event.is_live else ("test", "live")
            return (
                f"{name} is an event of {mode} mode, and {other} mode counts here: nothing was applied. Take"
                f" this address out of the endpoints of {mode} mode, or set STRIPE_MODE={mode} and send the"
                " event again"
            )
        case NotApplied.OTHER_ACCOUNT:
            account = _short(event.account)
            return (
                f"{name} happened in the connected account {account}, which is not ours: nothing was applied."
                f" If it is, set STRIPE_ACCOUNT={account} and send the event again"
            )
        case NotApplied.THIN_EVENT:
            related = " ".join(_short(event.related.get(name)) for name in ("type", "id"))
            if failure is not None:
                return (
                    f"{name} is a thin event, and its object, {related}, was not applied: {failure}. Look in"
                    " Stripe what was paid; once the cause is removed, send the event again"
                )
            return (
                f"{name} is a thin event, it names {related} and carries no payment: nothing was applied. Add"
                " a webhook endpoint with payload style snapshot for this type, and look in Stripe what was"
                " paid"
            )


def _payment_id(subject: JsonObject) -> str | None:
    for name in ("id",) if subject.get("object") == "payment_intent" else ("payment_intent", "id"):
        value = subject.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _captured(subject: JsonObject) -> Money:
    """Return the claimed amount in ISO minor units; 0 of no currency for an unreadable amount."""
    currency = subject.get("currency")
    amounts = [amount for name in _AMOUNTS if type(amount := subject.get(name)) is int]
    code = currency_code(currency) if isinstance(currency, str) else None
    if code and amounts and 0 <= amounts[0] <= _AMOUNT_MAX:
        try:
            return from_stripe(amounts[0], code)
        except AmountError:
            pass
    return Money(0, NO_CURRENCY)


def _short(text: object) -> str:
    return id_or_digest(text) if isinstance(text, str) else "an unnamed object"


def _id(text: str) -> str:
    return id_or_digest(sanitize_for_postgres(text))
