"""One payment as Stripe knows it: what was captured, refunded and disputed, and the events that tell of it.

The amounts here are the truth that the service has to reach from the events, in whatever order they come.
"""

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal

from chassis import clock

# The object that names the booking.
Way = Literal["intent", "session", "async", "invoice"]
# Objects of refunds and disputes name the charge only, or the intent too.
Linked = Literal["charge", "both"]
# Accounts get the charge's cumulative event, the events of the refunds, or both.
Told = Literal["charge", "refund", "both"]

_FIRST_SECOND = 1_764_500_000


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event, and what it says about its payment: the booking, captured money, a failure."""

    payment: "StripePayment"
    type: str
    subject: dict[str, Any]
    created: int
    names: bool = False
    captures: bool = False
    fails: bool = False
    id: str = field(default_factory=lambda: f"evt_{clock.new_id()}")


@dataclass(eq=False, kw_only=True)
class StripePayment:
    """A payment of one booking. An action returns its events; none if Stripe would not allow it."""

    booking_id: str
    amount: int
    currency: str
    way: Way
    linked: Linked
    told: Told
    name: str = field(default_factory=lambda: clock.new_id().replace("-", ""))
    is_captured: bool = False
    refunds: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    dispute: dict[str, Any] | None = None
    seconds: "count[int]" = field(default_factory=lambda: count(_FIRST_SECOND))

    @property
    def id(self) -> str:
        return f"pi_{self.name}"

    @property
    def refunded(self) -> int:
        return sum(
            refund["amount"] for refund in self.refunds if refund["status"] in ("pending", "succeeded")
        )

    @property
    def disputed(self) -> int:
        return self._dispute("needs_response")

    @property
    def lost(self) -> int:
        return self._dispute("lost")

    @property
    def held(self) -> int:
        return self.amount * self.is_captured - self.refunded - self.lost

    def begin(self) -> list[Event]:
        """Complete a Checkout session whose money comes later."""
        if self.way != "async":
            return []
        return [self._event("checkout.session.completed", self._session("unpaid"), names=True)]

    def fail(self) -> list[Event]:
        """Fail an attempt to pay; the next one may succeed."""
        if self.is_captured:
            return []
        intent = {**self._intent(), "status": "requires_payment_method", "amount_received": 0}
        names = self.way == "intent"
        return [self._event("payment_intent.payment_failed", intent, names=names, fails=True)]

    def pay(self) -> list[Event]:
        if self.is_captured:
            return []
        self.is_captured = True
        intent = {**self._intent(), "status": "succeeded", "latest_charge": f"ch_{self.name}"}
        paid = [("payment_intent.succeeded", intent)]
        match self.way:
            case "session":
                paid.append(("checkout.session.completed", self._session("paid")))
            case "async":
                paid.append(("checkout.session.async_payment_succeeded", self._session("paid")))
            case "invoice":
                paid += [("invoice.paid", self._invoice()), ("invoice.payment_succeeded", self._invoice())]
            case "intent":
                pass
        events = [self._event(type_, subject, captures=True) for type_, subject in paid]
        return [replace(event, names=self._is_naming(event.subject)) for event in events]

    def refund(self, amount: int) -> list[Event]:
        """Begin a refund of at most `amount`."""
        amount = min(amount, self.held - self.disputed)
        if amount <= 0:
            return []
        refund = self._part(f"re_{len(self.refunds)}_{self.name}", "refund", amount, "pending")
        self.refunds.append(refund)
        events: list[Event] = []
        second = next(self.seconds)
        if self.told != "refund":
            events.append(self._event("charge.refunded", self._charge(), captures=True, at=second))
        if self.told != "charge":
            events.append(self._event("refund.created", dict(refund), at=second))
        return events

    def end_refund(self, status: str) -> list[Event]:
        """End the oldest refund that is on its way."""
        refund = next((refund for refund in self.refunds if refund["status"] == "pending"), None)
        if refund is None:
            return []
        refund["status"] = status
        type_ = "refund.failed" if status == "failed" else "charge.refund.updated"
        return [self._event(type_, dict(refund))]

    def move_dispute(self, status: str) -> list[Event]:
        """Open an inquiry or a dispute about all money that is left, or move the open one on."""
        steps = {
            None: ("warning_needs_response", "needs_response"),
            "warning_needs_response": ("warning_closed", "needs_response"),
            "needs_response": ("won", "lost"),
        }
        before = None if self.dispute is None else self.dispute["status"]
        is_for_money = status != "needs_response" or self.held > 0
        if status not in steps.get(before, ()) or not self.is_captured or not is_for_money:
            return []
        if self.dispute is None:
            self.dispute = self._part(f"dp_{self.name}", "dispute", self.held, status)
            return [self._event("charge.dispute.created", dict(self.dispute))]
        # An inquiry may become a dispute after a part of its money was refunded.
        self.dispute |= {"status": status, "amount": min(self.dispute["amount"], self.held)}
        is_closed = status in ("warning_closed", "won", "lost")
        type_ = "charge.dispute.closed" if is_closed else "charge.dispute.updated"
        return [self._event(type_, dict(self.dispute))]

    def _dispute(self, status: str) -> int:
        return self.dispute["amount"] if self.dispute and self.dispute["status"] == status else 0

    def _event(
        self,
        type_: str,
        subject: dict[str, Any],
        *,
        at: int | None = None,
        names: bool = False,
        captures: bool = False,
        fails: bool = False,
    ) -> Event:
        return Event(
            payment=self,
            type=type_,
            subject=subject,
            created=next(self.seconds) if at is None else at,
            names=names,
            captures=captures,
            fails=fails,
        )

    def _is_naming(self, subject: dict[str, Any]) -> bool:
        return self.booking_id in (subject["metadata"].get("booking_id"), subject.get("client_reference_id"))

    def _intent(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_received": self.amount,
            "currency": self.currency,
            "metadata": {"booking_id": self.booking_id} if self.way == "intent" else {},
        }

    def _session(self, payment_status: str) -> dict[str, Any]:
        return {
            "id": f"cs_{self.name}",
            "object": "checkout.session",
            "amount_total": self.amount,
            "currency": self.currency,
            "client_reference_id": self.booking_id,
            "payment_intent": self.id,
            "payment_status": payment_status,
            "metadata": {},
        }

    def _invoice(self) -> dict[str, Any]:
        return {
            "id": f"in_{self.name}",
            "object": "invoice",
            "amount_paid": self.amount,
            "currency": self.currency,
            "payment_intent": self.id,
            "metadata": {"booking_id": self.booking_id},
        }

    def _charge(self) -> dict[str, Any]:
        return {
            "id": f"ch_{self.name}",
            "object": "charge",
            "amount_captured": self.amount,
            "amount_refunded": self.refunded,
            "currency": self.currency,
            "payment_intent": self.id,
            "status": "succeeded",
            "captured": True,
            "metadata": {},
        }

    def _part(self, object_id: str, kind: str, amount: int, status: str) -> dict[str, Any]:
        part: dict[str, Any] = {
            "id": object_id,
            "object": kind,
            "amount": amount,
            "currency": self.currency,
            "charge": f"ch_{self.name}",
            "status": status,
            "metadata": {},
        }
        return part | ({"payment_intent": self.id} if self.linked == "both" else {})
