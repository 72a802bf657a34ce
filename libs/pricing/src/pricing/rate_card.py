"""What a rate card says (requirements, Pricing). Amounts are integer minor units of its currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pricing.errors import UnknownServiceError

Unit = Literal["visit", "night"]

BASIS_POINTS_WHOLE = 10_000
"""Basis points of the whole: 725 are 7.25 %."""


@dataclass(frozen=True, slots=True)
class LongVisit:
    """The rate that replaces the base rate for a visit of `minutes` or more."""

    minutes: int
    amount: int


@dataclass(frozen=True, slots=True)
class Service:
    """What one service costs per visit or night; add-ons count once for every visit or night."""

    name: str
    title: str
    unit: Unit
    base_amount: int
    long_visit: LongVisit | None
    extra_pet_amount: int
    holiday_amount: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A discount, fee or tax: a share of its base in basis points, or a fixed amount; the other is zero."""

    code: str
    description: str
    basis_points: int
    amount: int


@dataclass(frozen=True, slots=True)
class HolidayRule:
    """Which days of which country's calendar carry the holiday add-on, by the calendar's own names."""

    country: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class RateCard:
    """One published version of the prices; it is never changed, only followed by another version.

    Attributes:
        time_zone: IANA zone of the business, for requests that name none.
        discounts: taken from the sum of the service's lines, never more than that sum.
        fees: added; a share is a share of the discounted sum.
        taxes: added; a share is a share of the discounted sum with the fees.
    """

    id: str
    version: str
    currency: str
    time_zone: str
    holidays: HolidayRule
    services: Mapping[str, Service]
    discounts: tuple[Adjustment, ...]
    fees: tuple[Adjustment, ...]
    taxes: tuple[Adjustment, ...]

    def service(self, name: str) -> Service:
        """The service of this name; UnknownServiceError otherwise."""
        service = self.services.get(name)
        if service is None:
            raise UnknownServiceError(name, self.services)
        return service
