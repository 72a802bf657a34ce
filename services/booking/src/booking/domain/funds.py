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
    """Sums of the payments that count for a booking, in minor units of its currency; not negative.

    Attributes:
        captured: captured amount.
        refunded: part of it that went back, by refunds and by lost disputes.
        is_disputed: True if a charge is disputed.
    """

    captured: int = 0
    refunded: int = 0
    is_disputed: bool = False

    @property
    def held(self) -> int:
        """Return the captured amount that did not go back."""
        return self.captured - self.refunded

    def payment_status(self, total: int) -> PaymentStatus:
        """Return the payment status of a booking that costs `total` minor units.

        All payments are judged together: a booking that was paid twice and refunded once is paid. A dispute
        comes before everything else. A booking that costs nothing is paid.
        """
        if self.is_disputed:
            return PaymentStatus.DISPUTED
        if self.held > total:
            return PaymentStatus.OVERPAID
        if self.held == total:
            return PaymentStatus.PAID
        if self.refunded:
            return PaymentStatus.PARTIALLY_REFUNDED if self.held else PaymentStatus.REFUNDED
        return PaymentStatus.PARTIALLY_PAID if self.captured else PaymentStatus.UNPAID
