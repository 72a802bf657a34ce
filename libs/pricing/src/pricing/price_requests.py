"""What a price is asked for."""

from dataclasses import dataclass
from datetime import datetime

Slot = tuple[datetime, datetime]
"""Start and end of a visit or stay, both aware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRequest:
    """A booking as far as its price depends on it. Errors show when it is priced, not here.

    Attributes:
        service: a service of the rate card, e.g. `drop-in`.
        starts_at: aware, in any offset; so are all moments here.
        ends_at: after starts_at.
        visits: the visits of a service priced by the visit; none given means that the booking itself,
            from starts_at to ends_at, is the one visit. A service priced by the night charges nights
            only, its visits are a timetable without a price.
        pets: how many, the first one is in the base rate.
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
