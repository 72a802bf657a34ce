"""Rate cards as their files hold them (requirements, Pricing). Amounts are integer minor units.

A card is valid once it exists: each class refuses what its file must not say.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from contracts.currencies import MINOR_DIGITS
from pricing.errors import UnknownServiceError, excerpt
from pricing.time_zones import find_time_zone

Unit = Literal["visit", "night"]

BASIS_POINTS_WHOLE = 10_000
"""Basis points of the whole: 725 are 7.25 %."""

# The largest request at this rate stays far below 64 bits.
RATE_MINOR_UNITS_MAX = 10**9

MINUTES_PER_DAY = 24 * 60

Text = Annotated[str, Meta(pattern=r"\S")]
Rate = Annotated[int, Meta(ge=0, le=RATE_MINOR_UNITS_MAX)]


class LongVisit(Struct, frozen=True):
    """The rate that replaces the base rate for a visit of `minutes` or more."""

    minutes: int
    amount: int


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rates of one service per visit or night; add-ons count once for every visit or night."""

    title: Text
    unit: Unit
    base_amount: Rate
    long_visit_amount: Rate | None = None
    long_visit_minutes: Annotated[int, Meta(ge=1, le=MINUTES_PER_DAY)] | None = None
    extra_pet_amount: Rate
    holiday_amount: Rate

    def __post_init__(self) -> None:
        if (self.long_visit_amount is None) != (self.long_visit_minutes is None):
            raise ValueError("long_visit_amount and long_visit_minutes are given together or not at all")
        if self.unit == "night" and self.long_visit:
            raise ValueError("long_visit_amount: a service by the night has no long visits")

    @property
    def long_visit(self) -> LongVisit | None:
        if self.long_visit_minutes is None or self.long_visit_amount is None:
            return None
        return LongVisit(self.long_visit_minutes, self.long_visit_amount)


class Adjustment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A discount, fee or tax: a share of its base in basis points, or a fixed amount; the other is zero."""

    code: Text
    description: Text
    basis_points: Annotated[int, Meta(ge=1, le=BASIS_POINTS_WHOLE)] = 0
    amount: Annotated[int, Meta(ge=1, le=RATE_MINOR_UNITS_MAX)] = 0

    def __post_init__(self) -> None:
        if bool(self.basis_points) == bool(self.amount):
            raise ValueError("expected either basis_points or amount")


class HolidayRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The days of a country's calendar that carry the holiday add-on, by the calendar's own names."""

    country: Text
    names: Annotated[tuple[Text, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError("names: one name is given twice")


class RateCard(Struct, frozen=True, kw_only=True, eq=False, forbid_unknown_fields=True):
    """One published version of the prices; never changed, only followed by another version.

    Attributes:
        currency: ISO 4217.
        time_zone: IANA zone of the business, for requests that name none.
        discounts: taken from the sum of the service's lines, never more than that sum.
        fees: added; a share is a share of the discounted sum.
        taxes: added; a share is a share of the discounted sum with the fees.
    """

    id: Text
    version: Text
    currency: str
    time_zone: str
    holidays: HolidayRule
    services: Annotated[dict[str, Service], Meta(min_length=1)]
    discounts: tuple[Adjustment, ...] = ()
    fees: tuple[Adjustment, ...] = ()
    taxes: tuple[Adjustment, ...] = ()

    def __post_init__(self) -> None:
        if self.currency not in MINOR_DIGITS:
            raise ValueError(f"currency: expected an ISO 4217 code, found {excerpt(self.currency)}")
        if find_time_zone(self.time_zone) is None:
            raise ValueError(f"time_zone: expected an IANA time zone, found {excerpt(self.time_zone)}")
        for key, adjustments in (("discounts", self.discounts), ("fees", self.fees), ("taxes", self.taxes)):
            if len({adjustment.code for adjustment in adjustments}) != len(adjustments):
                raise ValueError(f"{key}: two entries have the same code")

    def service(self, name: str) -> Service:
        """Return the service of this name, or raise UnknownServiceError."""
        service = self.services.get(name)
        if service is None:
            raise UnknownServiceError(name, self.services)
        return service
