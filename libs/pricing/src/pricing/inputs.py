"""The data that an engine reads besides the rate card. No later question to a clock or calendar is needed."""

from datetime import date, timedelta
from typing import NoReturn

from msgspec import Struct

from pricing.errors import InvalidPriceRequestError, excerpt
from pricing.price_requests import Slot
from pricing.rate_card import Unit

PETS_MAX = 50
VISITS_MAX = 366
STAY_DAYS_MAX = 366
YEAR_MIN = 2000
# The holiday calendar knows no later year and would silently answer "no holiday".
YEAR_MAX = 2100

_HOUR = timedelta(hours=1)
_NOTHING = timedelta()
_STAY_MAX = timedelta(days=STAY_DAYS_MAX)
_YEARS = range(YEAR_MIN, YEAR_MAX + 1)


class Inputs(Struct, frozen=True, gc=False):
    """A request with its time zone and holidays resolved. Inputs that cannot be priced do not exist.

    Moments are in the business's local time with a fixed offset, so that local dates and exact durations
    can both be read from them for ever: neither a new edition of the time zone database nor one of the
    holiday calendar changes a price that was agreed.

    Attributes:
        time_zone: the zone whose local time this is; the engine does not ask it again.
        stay: start and end of the booking.
        visits: in the order given; empty where the booking itself is the one visit.
        holiday: as in PriceRequest.
        holiday_dates: where holiday is None, the charged dates that were holidays when this was priced.
    """

    service: str
    pets: int
    time_zone: str
    stay: Slot
    visits: tuple[Slot, ...]
    holiday: bool | None
    holiday_dates: tuple[date, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.pets <= PETS_MAX:
            raise InvalidPriceRequestError(f"pets: {excerpt(self.pets)} is not from 1 to {PETS_MAX}")
        if len(self.visits) > VISITS_MAX:
            raise InvalidPriceRequestError(f"visits: {len(self.visits)} are more than {VISITS_MAX}")
        if not _is_chargeable(self.stay):
            _refuse_slot(self.stay, "")
        for index, visit in enumerate(self.visits):
            if not _is_chargeable(visit):
                _refuse_slot(visit, f"visits.{index}.")

    def charged_units(self, unit: Unit) -> list[tuple[date, int]]:
        """Return the local date and the number of units of each visit or night that is charged.

        A visit has one unit, or its started hours; `fixed` is one unit on the date of the start.
        """
        if unit == "hour":
            return [(starts.date(), -((starts - ends) // _HOUR)) for starts, ends in self.slots]
        return [(day, 1) for day in self.unit_dates(unit)]

    def unit_dates(self, unit: Unit) -> list[date]:
        """Return the local date of each charged visit or night, one entry for each.

        Nights are the calendar days between the local start and end, at least one (requirements, Pricing);
        a night belongs to the date on which it begins.
        """
        first, last = self.stay[0].date(), self.stay[1].date()
        match unit:
            case "night":
                return [first + timedelta(days=night) for night in range(max(1, (last - first).days))]
            case "fixed":
                return [first]
            case "visit" | "hour":
                return [starts.date() for starts, _ in self.slots]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return the visits to charge for a service priced by the visit."""
        return self.visits or (self.stay,)


def _is_chargeable(slot: Slot) -> bool:
    starts, ends = slot
    return starts.year in _YEARS and ends.year in _YEARS and _NOTHING < ends - starts <= _STAY_MAX


def _refuse_slot(slot: Slot, where: str) -> NoReturn:
    starts, ends = slot
    for field, moment in (("starts_at", starts), ("ends_at", ends)):
        if moment.year not in _YEARS:
            raise InvalidPriceRequestError(
                f"{where}{field}: the year {moment.year} is not from {YEAR_MIN} to {YEAR_MAX}"
            )
    if ends <= starts:
        raise InvalidPriceRequestError(
            f"{where}ends_at: {ends.isoformat()} is not after {starts.isoformat()}"
        )
    raise InvalidPriceRequestError(f"{where}ends_at: more than {STAY_DAYS_MAX} days after the start")
