"""A small model of a booking, written after BK-1 to BK-9 and `docs/bookings.md`; it shares no code with them.

Amounts that went back are read from the ledgers, so `paid` and `payments` are right only when all events of
all payments were delivered. The captured sum and the status are right at any time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from integration.booking.stripe_ledger import Event, StripePayment

ALLOWED = {
    "pending": {"confirmed", "cancelled"},
    "confirmed": {"pending", "in_progress", "completed", "cancelled"},
    "in_progress": {"completed", "cancelled"},
    "completed": set[str](),
    "cancelled": set[str](),
}
FINAL = ("completed", "cancelled")
OFFICE = "system"


def price(pets: int) -> int:
    """Return the price of one drop-in visit of 30 minutes, in cents (requirements, Pricing)."""
    return 2000 + 500 * (pets - 1)


@dataclass
class BookingModel:
    """What a booking has to be. `history` has (from, to, changed by)."""

    pets: int
    notes: str | None = None
    status: str = "pending"
    history: list[tuple[str | None, str, str]] = field(default_factory=lambda: [(None, "pending", OFFICE)])
    stripe: list[StripePayment] = field(default_factory=list[StripePayment])
    # By payment: the flags of its delivered events, and why it does not count ("" if it does).
    said: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    anomalies: dict[str, str] = field(default_factory=dict[str, str])
    entries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    # By id, oldest first.
    offers: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def __post_init__(self) -> None:
        self.total = price(self.pets)

    @property
    def counting(self) -> list[StripePayment]:
        return [payment for payment in self.stripe if self.anomalies.get(payment.id) == ""]

    @property
    def captured(self) -> int:
        cash = sum(entry["amount"] for entry in self.entries if not entry["reversed"])
        return cash + sum(payment.amount for payment in self.counting)

    @property
    def returned(self) -> int:
        return sum(payment.refunded + payment.lost for payment in self.counting)

    @property
    def payment_status(self) -> str:
        held = self.captured - self.returned
        if any(payment.disputed for payment in self.counting):
            return "disputed"
        if held >= self.total:
            return "paid" if held == self.total else "overpaid"
        if self.returned:
            return "partially_refunded" if held else "refunded"
        return "partially_paid" if held else "unpaid"

    def payments(self) -> dict[str, dict[str, Any]]:
        """Return the payments of Stripe that the booking has, by id."""
        return {
            payment.id: {
                # Without money the service may not know the currency yet.
                "currency": payment.currency.upper() if payment.is_captured else None,
                "status": self._state(payment),
                "captured": payment.amount * payment.is_captured,
                "refunded": payment.refunded,
                "refund_pending": sum(
                    refund["amount"] for refund in payment.refunds if refund["status"] == "pending"
                )
                if payment.told != "charge"
                else 0,
                "disputed": payment.disputed,
                "lost": payment.lost,
                "anomaly": self.anomalies.get(payment.id) or None,
            }
            for payment in self.stripe
            if "names" in self.said.get(payment.id, ())
        }

    def _state(self, payment: StripePayment) -> str:
        said = self.said[payment.id]
        if "captures" in said:
            return "succeeded"
        return "failed" if "fails" in said else "pending"

    def change(self, to: str, by: str = OFFICE) -> bool:
        """Change the status if the table allows it. Return False if it does not."""
        if to == self.status:
            return True
        if to not in ALLOWED[self.status]:
            return False
        self.history.append((self.status, to, by))
        self.status = to
        return True

    def deliver(self, events: Iterable[Event]) -> None:
        """Learn what events say. New money of a cancelled booking or in another currency does not count."""
        before = self.captured
        for event in events:
            said = self.said.setdefault(event.payment.id, set())
            said |= {flag for flag in ("names", "captures", "fails") if getattr(event, flag)}
            if {"names", "captures"} <= said and event.payment.id not in self.anomalies:
                cancelled = "booking_cancelled" if self.status == "cancelled" else ""
                foreign = event.payment.currency != "usd"
                self.anomalies[event.payment.id] = "currency_mismatch" if foreign else cancelled
        self.confirm_if_captured(before, "stripe")

    def enter(self, payment_id: str, amount: int) -> None:
        before = self.captured
        self.entries.append({"id": payment_id, "amount": amount, "reversed": False})
        self.confirm_if_captured(before, OFFICE)

    def confirm_if_captured(self, before: int, by: str) -> None:
        """Confirm a pending booking when new money brings the captured sum to the total."""
        if self.status == "pending" and self.captured > before and self.captured >= self.total:
            self.change("confirmed", by)

    def set_total(self, total: int) -> None:
        """Set the price. A pending booking that is paid at it is confirmed."""
        self.total = total
        is_held = self.captured > self.returned
        if self.status == "pending" and is_held and self.payment_status in ("paid", "overpaid"):
            self.change("confirmed")

    def may_offer(self, phone: str) -> bool:
        taken = any(
            offer["status"] == "accepted" or (offer["status"] == "open" and offer["phone"] == phone)
            for offer in self.offers.values()
        )
        return self.status not in FINAL and not taken

    def say_yes(self, phone: str) -> str:
        """Apply a yes. Return what becomes of the SMS."""
        own = [offer for offer in self.offers.values() if offer["phone"] == phone]
        if not own:
            return "no_offer"
        offer = own[-1]
        if offer["status"] == "accepted":
            return "already_accepted"
        if offer["status"] != "open" or self.status in FINAL:
            return "too_late"
        for other in self.offers.values():
            if other["status"] == "open":
                other |= {"status": "closed", "reason": "taken"}
        offer |= {"status": "accepted", "reason": ""}
        if self.status == "pending":
            self.change("confirmed", f"sms:{offer['person']}")
        return "accepted"
