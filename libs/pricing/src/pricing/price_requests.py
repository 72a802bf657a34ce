"""Requests for a price."""

from dataclasses import dataclass
from datetime import datetime

# Start and end of a visit or stay, both aware.
Slot = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRequest:
    """The part of a booking that its price depends on. Errors are raised by pricing, not here.

    Attributes:
        service: a service of the rate card, e.g. `drop-in`.
        starts_at: aware, in any offset; so are all moments here.
        ends_at: after starts_at.
        visits: the visits of a service priced by the visit; none given means that the booking itself,
            from starts_at to ends_at, is the one visit. A service priced by the night charges nights
            only, its visits are a timetable without a price.
        pets: their number; the base rate includes the first.
        holiday: True charges the holiday add-on on every visit or night, False on none, None on those
            whose local date (of a visit's start, of the evening of a night) is a holiday of the card.
        time_zone: IANA zone whose calendar counts nights and holidays; None is the card's.
    """

    service: str
    starts_at: datetime
    ends_at: datetime
    visits: tuple[Slot, ...] = ()
    pets: int = 1
    holiday: bool | None = None
    time_zone: str | None = None
