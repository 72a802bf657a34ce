"""Sums of a booking's payments, and the payment status derived from them (BK-7)."""

from dataclasses import dataclass
from enum import StrEnum


class PaymentStatus(StrEnum):
    """Payment status of a booking, derived from its payments."""

    UNPAID = "unpaid"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    OVERPAID = "overpaid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class Funds:
    """Sums of the payments without an anomaly, in minor units of the booking's currency; not negative.

    Attributes:
        captured: captured amount.
        refunded: refunded part of it.
        is_disputed: True if a charge is disputed.
    """

    captured: int = 0
    refunded: int = 0
    is_disputed: bool = False

    def payment_status(self, total: int) -> PaymentStatus:
        """Return the payment status of a booking that costs `total` minor units.

        A dispute comes before refunds, refunds come before the captured amount. A booking that costs
        nothing is paid.
        """
        if self.is_disputed:
            return PaymentStatus.DISPUTED
        if self.refunded:
            full = self.refunded >= self.captured
            return PaymentStatus.REFUNDED if full else PaymentStatus.PARTIALLY_REFUNDED
        if self.captured > total:
            return PaymentStatus.OVERPAID
        if self.captured == total:
            return PaymentStatus.PAID
        return PaymentStatus.PARTIALLY_PAID if self.captured else PaymentStatus.UNPAID

    def covers(self, total: int) -> bool:
        """Return True if the money that was not refunded pays `total` in full and is not disputed."""
        return not self.is_disputed and self.captured - self.refunded >= total
