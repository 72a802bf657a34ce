"""Discounts, fees and taxes of a rate card, as its file holds them."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

# The largest request at this rate stays far below 64 bits.
RATE_MINOR_UNITS_MAX = 10**9
BASIS_POINTS_WHOLE = 10_000
"""Basis points of the whole: 725 are 7.25 %."""
PERCENT_WHOLE = 100
UNITS_MAX = 10_000

Text = Annotated[str, Meta(pattern=r"\S")]
Percent = Annotated[str, Meta(pattern=r"^[0-9]{1,3}(\.[0-9]{1,4})?\Z")]
"""Decimal text such as "7.25": TOML's numbers with a point are floats, and no float is near money."""


class Adjustment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line beside the service's own: a share of its base, or a fixed amount.

    Attributes:
        basis_points: the share in hundredths of a percent, engine 1's form.
        percent: the share as decimal text, from engine 2 on.
        amount: minor units.
        services: the services that carry the line; empty for all. From engine 2 on.
    """

    code: Text
    description: Text
    basis_points: Annotated[int, Meta(ge=1, le=BASIS_POINTS_WHOLE)] = 0
    percent: Percent | None = None
    amount: Annotated[int, Meta(ge=1, le=RATE_MINOR_UNITS_MAX)] = 0
    services: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if [bool(self.basis_points), self.percent is not None, bool(self.amount)].count(True) != 1:
            raise ValueError("expected either percent or amount")
        if self.share > PERCENT_WHOLE or (self.percent and not self.share):
            raise ValueError('percent: expected more than "0" and at most "100"')

    @property
    def share(self) -> Decimal:
        """Return the share in percent; 0 for a fixed amount."""
        return Decimal(self.percent or f"{self.basis_points}e-2")

    @property
    def needs_engine(self) -> int:
        return 2 if self.percent or self.services else 1


class Discount(Adjustment, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Taken off. `from_units`: the number of visits, nights or hours from which it is given."""

    from_units: Annotated[int, Meta(ge=1, le=UNITS_MAX)] = 1

    @property
    def needs_engine(self) -> int:
        return 2 if self.from_units > 1 else super().needs_engine


class Fee(Adjustment, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Added. `per` "unit" charges the amount once for each visit, night or hour."""

    per: Literal["booking", "unit"] = "booking"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.per == "unit" and not self.amount:
            raise ValueError("per: only an amount is charged per unit")

    @property
    def needs_engine(self) -> int:
        return 2 if self.per == "unit" else super().needs_engine


class Tax(Adjustment, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Added to the discounted sum with its fees. Rates that include tax state none."""
