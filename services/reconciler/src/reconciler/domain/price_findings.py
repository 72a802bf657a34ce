"""Findings of an evaluation of a booking's price and charges."""

from dataclasses import dataclass
from typing import Literal

from contracts.money import Money
from pricing import LineDifference
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
class PriceFinding:
    """A problem of a price or a charge. Amounts are minor units of `currency`.

    Attributes:
        drift_class: of a pricing drift; None for other types.
        snapshot: A, the stored price.
        recomputed: B.
        charged: C; None if nothing was charged in this currency.
        lines: their differences add up to `drift`.
        remarks: facts that the amounts do not show, one sentence each.
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

    @property
    def drift(self) -> int:
        """B minus A (REC-4)."""
        return self.recomputed - self.snapshot

    @property
    def charge_difference(self) -> int | None:
        """C minus B; None if C is None."""
        return None if self.charged is None else self.charged - self.recomputed

    @property
    def title(self) -> str:
        """One line for a list."""
        price, charged = self._money(self.recomputed), self._money(self.charged or 0)
        match self.type:
            case "not_charged":
                return f"Price {price}, nothing charged within the grace time"
            case "duplicate_charge":
                return f"Price {price}, charged {charged} in several payments"
            case "currency_mismatch":
                return "Price and payments are in different currencies"
            case "pricing_drift":
                return self._drift_title()

    def _drift_title(self) -> str:
        stored, price = self._money(self.snapshot), self._money(self.recomputed)
        charged = "" if self.charged is None else f", charged {self._money(self.charged)}"
        if self.drift_class == "charge_mismatch":
            return f"Price {price}{charged}"
        if self.drift == 0:
            return f"Stored lines are damaged, their total {price} is right{charged}"
        return f"Stored price {stored}, recomputed {price}{charged}"

    def _money(self, amount: int) -> Money:
        return Money(amount, self.currency)
