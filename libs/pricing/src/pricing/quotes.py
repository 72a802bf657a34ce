"""A computed price: its lines, and nothing but its lines."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

# Sums of as many lines as a snapshot may have still fit 64 bits.
AMOUNT_MINOR_UNITS_MAX = 10**15
Amount = Annotated[int, Meta(ge=-AMOUNT_MINOR_UNITS_MAX, le=AMOUNT_MINOR_UNITS_MAX)]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a breakdown; amount = quantity x unit_amount on every line an engine makes.

    Attributes:
        code: purpose of the line, the same in every booking: `visit`, `long_visit`, `night`, `extra_pet`,
            `holiday`, `discount:<code>`, `fee:<code>`, `tax:<code>`, `override`.
        description: for people.
        quantity: number of charged units.
        unit_amount: minor units for one, negative for a discount.
        amount: minor units for all.
    """

    code: str
    description: str
    quantity: Amount
    unit_amount: Amount
    amount: Amount

    @classmethod
    def of(cls, code: str, description: str, quantity: int, unit_amount: int) -> "Line":
        """Return the line of `quantity` units at `unit_amount` minor units each."""
        return cls(code, description, quantity, unit_amount, quantity * unit_amount)


@dataclass(frozen=True, slots=True)
class Quote:
    """A price as an engine computes it, in minor units of `currency` (ISO 4217)."""

    currency: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        """Minor units: the sum of the lines, by definition."""
        return sum(line.amount for line in self.lines)
