"""What an evaluation finds wrong with a booking's money, ready for a person to read."""

from dataclasses import dataclass
from typing import Literal

from contracts.money import Money
from pricing import LineDifference
from reconciler.domain.classify import DriftClass, Severity

FindingType = Literal["pricing_drift", "not_charged", "duplicate_charge", "currency_mismatch"]

FINDING_TYPES: tuple[FindingType, ...] = (
    "pricing_drift",
    "not_charged",
    "duplicate_charge",
    "currency_mismatch",
)
"""What an evaluation of prices and charges looks for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. Amounts are minor units of `currency`.

    Attributes:
        drift_class: of a pricing drift, None for other types.
        snapshot: A, the stored price.
        recomputed: B.
        charged: C; None where nothing was charged, or not in this currency.
        lines: their differences add up to `drift`.
        remarks: what the figures alone do not show, one sentence each.
    """

    booking_id: str
    type: FindingType
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
        """C minus B; None where C is."""
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
