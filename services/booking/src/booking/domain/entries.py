"""Money that a person of the business entered, and the facts that it becomes (BK-16)."""

from dataclasses import dataclass
from datetime import datetime

from booking.domain.booking import Booking
from booking.domain.facts import Fact, Kind, State
from booking.domain.statuses import Status
from contracts.ids import BookingId
from contracts.money import Money

OFFICE = "office"
"""Provider of payments that were entered."""


class EntryRefusedError(ValueError):
    """The entry cannot be made. `kind` is stable, for programs; the message says what to do."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry, or a counter-entry.

    Attributes:
        entry_id: of this entry.
        amount: received; of a counter-entry the amount that it undoes.
        method: `cash`, `transfer`, `cheque` or `other`.
        received_at: when the money changed hands.
        entered_by: name of the actor.
        reason: a person's text.
        reverses: id of the entry that this one undoes; None for an entry.
    """

    entry_id: str
    booking_id: BookingId
    amount: Money
    method: str
    received_at: datetime
    entered_by: str
    reason: str
    reverses: str | None = None

    def fact(self) -> Fact:
        """Return what the entry says about its payment, as a provider's event would."""
        return Fact(
            provider=OFFICE,
            event_id=self.entry_id,
            occurred_at=int(self.received_at.timestamp()),
            kind=Kind.ENTRY,
            object_id=self.entry_id if self.reverses is None else self.reverses,
            state=State.SUCCEEDED if self.reverses is None else State.REVERSED,
            amount=self.amount,
            booking_reference=self.booking_id,
        )


def require_receivable(booking: Booking, amount: Money) -> None:
    """Check that the booking can receive money by hand.

    Raises:
        EntryRefusedError: the booking is cancelled, or in another currency.
    """
    if booking.status is Status.CANCELLED:
        raise EntryRefusedError("booking-cancelled", "the booking is cancelled: give the money back")
    if amount.currency != booking.total.currency:
        raise EntryRefusedError(
            "currency-mismatch",
            f"amount.currency: the booking is in {booking.total.currency}, not in {amount.currency}",
        )
