"""A computed price: its lines, and nothing but its lines."""

from typing import Annotated

from msgspec import Meta, Struct

# Sums of as many lines as a snapshot may have still fit 64 bits.
AMOUNT_MINOR_UNITS_MAX = 10**15
Amount = Annotated[int, Meta(ge=-AMOUNT_MINOR_UNITS_MAX, le=AMOUNT_MINOR_UNITS_MAX)]


class Line(Struct, frozen=True, gc=False):
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


class Quote(Struct, frozen=True, gc=False):
    """A price as an engine computes it, in minor units of `currency` (ISO 4217).

    Attributes:
        total: the sum of the lines, by definition: `of` adds it up.
    """

    currency: str
    lines: tuple[Line, ...]
    total: int

    @classmethod
    def of(cls, currency: str, lines: tuple[Line, ...]) -> "Quote":
        """Return the quote of these lines."""
        return cls(currency, lines, sum(line.amount for line in lines))
