"""What a booking holds in payments, and the payment status that follows from it (BK-7)."""

from dataclasses import dataclass
from enum import StrEnum


class PaymentStatus(StrEnum):
    """Derived from the payments, never set by hand."""

    UNPAID = "unpaid"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    OVERPAID = "overpaid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class Funds:
    """Sums over a booking's sound payments, in minor units of the booking's currency, none negative.

    Attributes:
        captured: money that came in.
        refunded: of it, what went back.
        is_disputed: a charge of it is disputed.
    """

    captured: int = 0
    refunded: int = 0
    is_disputed: bool = False

    def payment_status(self, total: int) -> PaymentStatus:
        """The payment status of a booking that costs `total` minor units.

        A dispute outweighs refunds, a refund outweighs how much was paid. A booking that costs nothing
        is paid.
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
        """Whether the money that stayed pays `total` in full and nobody disputes it."""
        return not self.is_disputed and self.captured - self.refunded >= total
