"""A booking of another system with its past, checked as a whole (BK-15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from booking.domain.booking import Transition
from booking.domain.details import Details
from booking.domain.facts import Fact, Kind, Links, State
from booking.domain.statuses import TRANSITIONS, Status
from contracts.ids import BookingId
from contracts.money import Money

IMPORTED_BY = "import:"


class ImportRefusedError(ValueError):
    """A line cannot be imported. The message names the field and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStep:
    """A transition in the other system: its new status, time, actor and reason."""

    to: Status
    at: datetime
    by: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRefund:
    """A refund of a payment in the other system, in minor units."""

    id: str
    amount: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPayment:
    """A payment that a provider captured before the import."""

    provider: str
    id: str
    captured: Money
    at: datetime
    refunds: tuple[PastRefund, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedBooking:
    """One line of an import file. `pricing` is None for a booking that is never reconciled (REC-2)."""

    id: BookingId
    external_id: str
    details: Details
    total: Money
    pricing: dict[str, Any] | None
    history: tuple[PastStep, ...]
    payments: tuple[PastPayment, ...]

    @property
    def status(self) -> Status:
        return self.history[-1].to

    @property
    def confirmed_at(self) -> datetime | None:
        """Return the time of the last confirmation; None while pending."""
        if self.status is Status.PENDING:
            return None
        return next((step.at for step in reversed(self.history) if step.to is Status.CONFIRMED), None)

    def transitions(self) -> list[Transition]:
        """Return the rows of the status history, marked as imported."""
        before: Sequence[Status | None] = (None, *(step.to for step in self.history))
        return [
            Transition(
                booking_id=self.id,
                sequence=number,
                version=number,
                from_status=start,
                to_status=step.to,
                changed_by=f"{IMPORTED_BY}{step.by}",
                reason=step.reason,
                is_reason_typed=step.reason is not None,
                metadata={"imported": "true", "occurred_at": step.at.isoformat()},
            )
            for number, (start, step) in enumerate(zip(before, self.history, strict=False), 1)
        ]

    def facts(self) -> tuple[Fact, ...]:
        """Return the payments and refunds as facts under the provider's own ids."""
        return tuple(fact for payment in self.payments for fact in _facts(payment, self.id))


def check_past(history: Sequence[PastStep], payments: Sequence[PastPayment], now: datetime) -> None:
    """Check that a past is possible.

    Raises:
        ImportRefusedError: an illegal step, times out of order or ahead, or refunds beyond the money.
    """
    if history[0].to is not Status.PENDING:
        raise ImportRefusedError(f"history.0.to_status: a history begins with pending, not {history[0].to}")
    for number, (step, following) in enumerate(pairwise(history), 1):
        if following.to not in TRANSITIONS[step.to]:
            raise ImportRefusedError(f"history.{number}.to_status: {step.to} cannot become {following.to}")
        if following.at < step.at:
            raise ImportRefusedError(f"history.{number}.at: earlier than the step before it")
    if history[-1].at > now:
        raise ImportRefusedError(f"history.{len(history) - 1}.at: lies in the future")
    for number, payment in enumerate(payments):
        if sum(refund.amount for refund in payment.refunds) > payment.captured.amount:
            raise ImportRefusedError(f"payments.{number}.refunds: more than was captured")


def _facts(payment: PastPayment, booking_id: BookingId) -> list[Fact]:
    captured = Fact(
        provider=payment.provider,
        event_id=f"{IMPORTED_BY}{payment.id}",
        occurred_at=int(payment.at.timestamp()),
        kind=Kind.INTENT,
        object_id=payment.id,
        state=State.SUCCEEDED,
        amount=payment.captured,
        booking_reference=booking_id,
    )
    refunds = [
        Fact(
            provider=payment.provider,
            event_id=f"{IMPORTED_BY}{refund.id}",
            occurred_at=int(refund.at.timestamp()),
            kind=Kind.REFUND,
            object_id=refund.id,
            state=State.SUCCEEDED,
            amount=Money(refund.amount, payment.captured.currency),
            links=Links(intents=(payment.id,)),
        )
        for refund in payment.refunds
    ]
    return [captured, *refunds]
