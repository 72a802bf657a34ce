"""Findings of an evaluation of a booking's price and charges."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts.money import Money
from pricing import LineDifference
from reconciler.domain.causes import Cause, Waiting
from reconciler.domain.classify import DriftClass, Severity

PriceFindingType = Literal["pricing_drift", "not_charged", "duplicate_charge", "currency_mismatch"]

PRICE_FINDING_TYPES: tuple[PriceFindingType, ...] = (
    "pricing_drift",
    "not_charged",
    "duplicate_charge",
    "currency_mismatch",
)
"""Types that an evaluation of price and charges looks for."""


@dataclass(frozen=True, slots=True)
class Charge:
    """The money of a booking beside the charged amount, in minor units of its currency.

    Attributes:
        count: number of captured payments.
        captured, refunded: sums over them; `refunded` without what lost disputes took.
        currencies: other currencies of payments than the booking's.
        refund_pending, disputed, lost: parts, as `StoredBooking` has them.
        open_anomalies: payments of it that have an exception of their own.
        due_at: time from which payment is due.
    """

    count: int
    captured: int
    refunded: int
    currencies: tuple[str, ...]
    refund_pending: int
    disputed: int
    lost: int
    open_anomalies: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class PriceFinding:
    """A problem of a price or a charge. Amounts are minor units of `currency`.

    Attributes:
        drift_class: of a pricing drift; None for other types.
        snapshot: A, the stored price.
        recomputed: B.
        charged: C, with what lost disputes took; None if nothing was charged in this currency.
        lines: their differences add up to `drift`; none if the stored price is in another currency.
        remarks: facts that the amounts do not show, one sentence each.
        damage: largest difference in any amount of a line.
        price_currencies: of booking, snapshot and rate card, if they differ.
        waiting: None if a person has to act.
    """

    booking_id: str
    type: PriceFindingType
    drift_class: DriftClass | None
    severity: Severity
    currency: str
    snapshot: int
    recomputed: int
    charged: int | None
    lines: tuple[LineDifference, ...]
    remarks: tuple[str, ...]
    rate_card: str
    engine: int
    charge: Charge
    damage: int = 0
    price_currencies: tuple[str, str, str] | None = None
    waiting: Waiting | None = None

    @property
    def kind(self) -> str:
        """Return the class of a pricing drift, else the type: the key of `MEANINGS`."""
        return self.drift_class or self.type

    @property
    def drift(self) -> int:
        """B minus A (REC-4)."""
        return self.recomputed - self.snapshot

    @property
    def charge_difference(self) -> int | None:
        """C minus B; None if C is None."""
        return None if self.charged is None else self.charged - self.recomputed

    @property
    def amount(self) -> int | None:
        """Return the signed amount at stake: the drift if there is one, else C - B; None if unknown."""
        if self.price_currencies is not None:
            return None
        if self.type == "pricing_drift":
            return self.drift or self.charge_difference or self.damage
        return (self.charged or 0) - self.recomputed

    @property
    def cause(self) -> Cause:
        """Return the line with the largest difference, and the versions that the snapshot names."""
        largest = max(self.lines, key=lambda line: abs(line.difference), default=None)
        code = None if largest is None or not largest.difference else largest.code
        return Cause(code, self.rate_card, str(self.engine))

    @property
    def title(self) -> str:
        """One line for a list."""
        price, charged = self.money(self.recomputed), self.money(self.charged or 0)
        match self.type:
            case "not_charged":
                when = "yet" if self.waiting else "within the grace time"
                return f"Price {price}, nothing charged {when}"
            case "duplicate_charge":
                return f"Price {price}, charged {charged} in several payments"
            case "currency_mismatch":
                return "Price and payments are in different currencies"
            case _:
                return self._drift_title()

    def _drift_title(self) -> str:
        stored, price = self.money(self.snapshot), self.money(self.recomputed)
        charged = "" if self.charged is None else f", charged {self.money(self.charged)}"
        if self.drift_class == "charge_mismatch":
            return f"Price {price}{charged}"
        if self.drift == 0:
            return f"Stored lines are damaged, their total {price} is right{charged}"
        return f"Stored price {stored}, recomputed {price}{charged}"

    def money(self, amount: int) -> Money:
        """Return an amount in the finding's currency."""
        return Money(amount, self.currency)
