"""A booking as booking's published view shows it: the stored values, right or wrong."""

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct


class StoredBooking(Struct, frozen=True, array_like=True, gc=False):
    """One row of `reconciliation_v1`, its columns in this order. Amounts are minor units.

    Attributes:
        history_status: the last status of the booking's history; None if its history is empty.
        payment_status: as kept in the booking's own row.
        total: the booking's own total, in `currency`; the snapshot has another copy.
        pricing: the snapshot as JSON text; None if it is missing.
        captured, refunded: sums over the booking's payments in `currency`; `refunded` has all money that went
            back, by refunds (also those on their way) and by lost disputes.
        charge_count: number of captured payments.
        payment_currencies: of those payments.
        due_at: time from which payment is due: the confirmation, else the creation.
        cancelled_at: time of the cancellation; None for other statuses.
        held: captured minus refunded over the payments without an anomaly.
        contradictory_payments: number of payments that are negative, or whose parts are more than the whole.
        refund_pending: part of `refunded` that is on its way and may still fail.
        disputed: captured money that an open dispute holds back.
        lost: part of `refunded` that lost disputes took.
        pending_payments: number of payments that are known and have no money yet.
        money_changed_at: last change of a payment; None where no payment is pending.
        open_anomalies: number of payment anomalies that booking has reported and not resolved.
        kept_captured, kept_refunded: the sums in the booking's own row.
        counted_captured, counted_refunded: the same sums over its payments.
    """

    booking_id: str
    status: str
    history_status: str | None
    payment_status: str
    currency: str
    total: int
    pricing: str | None
    captured: int
    refunded: int
    charge_count: int
    payment_currencies: tuple[str, ...]
    due_at: datetime
    cancelled_at: datetime | None
    held: int
    contradictory_payments: int
    refund_pending: int
    disputed: int
    lost: int
    pending_payments: int
    money_changed_at: datetime | None
    open_anomalies: int
    kept_captured: int
    kept_refunded: int
    counted_captured: int
    counted_refunded: int

    @property
    def charged(self) -> int | None:
        """C: captured minus refunded; None if nothing was ever charged (REC-5)."""
        if self.charge_count == 0 and self.captured == 0 and self.refunded == 0:
            return None
        return self.captured - self.refunded


@dataclass(frozen=True, slots=True)
class UnreadableBooking:
    """A damaged row of the view; `error` names the column in one line."""

    booking_id: str
    error: str
