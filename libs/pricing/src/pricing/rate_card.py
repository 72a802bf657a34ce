"""Rate cards as their files hold them (requirements, Pricing). Amounts are integer minor units.

A card is valid once it exists: each class refuses what its file must not say.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from contracts.currencies import MINOR_DIGITS
from pricing.adjustments import RATE_MINOR_UNITS_MAX, Adjustment, Discount, Fee, Tax, Text
from pricing.errors import UnknownServiceError, excerpt
from pricing.time_zones import find_time_zone

Unit = Literal["visit", "night", "hour", "fixed"]

MINUTES_PER_DAY = 24 * 60
PETS_INCLUDED_MAX = 50
ADJUSTMENTS_MAX = 30
"""Discounts, fees or taxes of a card: with all of them a snapshot stays below its limit of lines."""

Rate = Annotated[int, Meta(ge=0, le=RATE_MINOR_UNITS_MAX)]


class LongVisit(Struct, frozen=True):
    """The rate that replaces the base rate for a visit of `minutes` or more."""

    minutes: int
    amount: int


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rates of one service per unit; add-ons count once for every unit.

    Attributes:
        unit: `visit`; `night`, a calendar day; from engine 2 on also `hour`, each started hour of a visit,
            and `fixed`, the booking as a whole.
        pets_included: the pets that the base rate includes; other numbers than 1 from engine 2 on.
    """

    title: Text
    unit: Unit
    base_amount: Rate
    long_visit_amount: Rate | None = None
    long_visit_minutes: Annotated[int, Meta(ge=1, le=MINUTES_PER_DAY)] | None = None
    pets_included: Annotated[int, Meta(ge=1, le=PETS_INCLUDED_MAX)] = 1
    extra_pet_amount: Rate
    holiday_amount: Rate

    def __post_init__(self) -> None:
        if (self.long_visit_amount is None) != (self.long_visit_minutes is None):
            raise ValueError("long_visit_amount and long_visit_minutes are given together or not at all")
        if self.unit != "visit" and self.long_visit:
            raise ValueError(f"long_visit_amount: a service by unit {self.unit} has no long visits")

    @property
    def long_visit(self) -> LongVisit | None:
        if self.long_visit_minutes is None or self.long_visit_amount is None:
            return None
        return LongVisit(self.long_visit_minutes, self.long_visit_amount)

    @property
    def needs_engine(self) -> int:
        return 2 if self.unit in ("hour", "fixed") or self.pets_included > 1 else 1


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
        effective_from: local time of `time_zone` from which this version of the card is in force; None for
            the first version, which is in force until the next one's time.
        engine: version of the engine that prices new bookings by this card.
        currency: ISO 4217.
        time_zone: IANA zone of the business, for requests that name none.
        discounts: taken from the sum of the service's lines, never more than that sum.
        fees: added; a share is a share of the discounted sum.
        taxes: added; a share is a share of the discounted sum with the fees.
    """

    id: Text
    version: Text
    effective_from: Annotated[datetime, Meta(tz=False)] | None = None
    engine: Literal[1, 2] = 1
    currency: str
    time_zone: str
    holidays: HolidayRule
    services: Annotated[dict[str, Service], Meta(min_length=1)]
    discounts: Annotated[tuple[Discount, ...], Meta(max_length=ADJUSTMENTS_MAX)] = ()
    fees: Annotated[tuple[Fee, ...], Meta(max_length=ADJUSTMENTS_MAX)] = ()
    taxes: Annotated[tuple[Tax, ...], Meta(max_length=ADJUSTMENTS_MAX)] = ()

    def __post_init__(self) -> None:
        if self.currency not in MINOR_DIGITS:
            raise ValueError(f"currency: expected an ISO 4217 code, found {excerpt(self.currency)}")
        if find_time_zone(self.time_zone) is None:
            raise ValueError(f"time_zone: expected an IANA time zone, found {excerpt(self.time_zone)}")
        for key, adjustments in (("discounts", self.discounts), ("fees", self.fees), ("taxes", self.taxes)):
            if len({adjustment.code for adjustment in adjustments}) != len(adjustments):
                raise ValueError(f"{key}: two entries have the same code")
            for index, adjustment in enumerate(adjustments):
                self._check_services(adjustment, f"{key}[{index}]")
        for key, entry in self._entries():
            if entry.needs_engine > self.engine:
                raise ValueError(f"{key}: needs engine = {entry.needs_engine} in this card")

    def _check_services(self, adjustment: Adjustment, key: str) -> None:
        for name in adjustment.services:
            if name not in self.services:
                raise ValueError(f"{key}.services: this card has no service {excerpt(name)}")

    def _entries(self) -> Iterator[tuple[str, Service | Adjustment]]:
        for name, service in self.services.items():
            yield f"services.{name}", service
        for key, adjustments in (("discounts", self.discounts), ("fees", self.fees), ("taxes", self.taxes)):
            for index, adjustment in enumerate(adjustments):
                yield f"{key}[{index}]", adjustment

    @property
    def file_name(self) -> str:
        return f"{self.id}-{self.version}.toml"

    @property
    def in_force_from(self) -> datetime | None:
        """Return `effective_from` in UTC."""
        zone = find_time_zone(self.time_zone)
        return (
            None if self.effective_from is None else self.effective_from.replace(tzinfo=zone).astimezone(UTC)
        )

    def service(self, name: str) -> Service:
        """Return the service of this name, or raise UnknownServiceError."""
        service = self.services.get(name)
        if service is None:
            raise UnknownServiceError(name, self.services)
        return service
