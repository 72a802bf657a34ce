"""What the rate cards in force would ask for stored bookings: a report, never an exception (REC-3)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pricing import (
    PriceRequest,
    PricingError,
    Snapshot,
    UnknownRateCardError,
    UnknownServiceError,
    current_rate_card,
    parse_snapshot_text,
    price,
)
from reconciler.domain.bookings import StoredBooking, UnreadableBooking

PRICED_STATUSES = ("confirmed", "in_progress", "completed")

Apart = Literal["agreed", "unreadable", "card_gone", "service_gone", "other_currency", "not_priced"]
"""Why a booking is counted apart.

agreed: a person set its price, which no card knows. unreadable: its snapshot cannot be read. card_gone,
service_gone: not in force any more. other_currency: the card asks in another one. not_priced: the card cannot
price the request.
"""


@dataclass(slots=True)
class CardRow:
    """Bookings of one service, currency and rate card. Amounts are sums in minor units."""

    service: str
    currency: str
    rate_card: str
    same: int = 0
    dearer: int = 0
    cheaper: int = 0
    stored: int = 0
    today: int = 0

    @property
    def bookings(self) -> int:
        return self.same + self.dearer + self.cheaper

    @property
    def difference(self) -> int:
        """Today's price minus the stored one."""
        return self.today - self.stored

    def add(self, stored: int, today: int) -> None:
        self.same += today == stored
        self.dearer += today > stored
        self.cheaper += today < stored
        self.stored += stored
        self.today += today


@dataclass(slots=True)
class CardReport:
    """The report as far as bookings were added; its size does not grow with their number.

    Attributes:
        at: the rate cards in force at this time.
        since: only bookings that start at or after this time; None for all.
        apart: numbers of bookings that are in no row.
    """

    at: datetime
    since: datetime | None = None
    apart: Counter[Apart] = field(default_factory=Counter[Apart])
    _rows: dict[tuple[str, str, str], CardRow] = field(default_factory=dict[tuple[str, str, str], CardRow])

    @property
    def rows(self) -> list[CardRow]:
        """Return the rows by service, currency and rate card."""
        return [row for _, row in sorted(self._rows.items())]

    def add(self, bookings: Iterable[StoredBooking | UnreadableBooking]) -> None:
        """Add bookings; cancelled ones have no price."""
        for booking in bookings:
            if isinstance(booking, UnreadableBooking):
                self.apart["unreadable"] += 1
            elif booking.status in PRICED_STATUSES:
                self._add(booking)

    def _add(self, booking: StoredBooking) -> None:
        snapshot = _read(booking)
        if snapshot is None:
            self.apart["unreadable"] += 1
        elif self.since is None or snapshot.inputs.stay[0] >= self.since:
            self._add_priced(booking, snapshot)

    def _add_priced(self, booking: StoredBooking, snapshot: Snapshot) -> None:
        try:
            card = current_rate_card(self.at, snapshot.card_id)
            today = price(_request(snapshot), card)
        except PricingError as error:
            self.apart[_reason(error)] += 1
            return
        if snapshot.override is not None:
            self.apart["agreed"] += 1
        elif today.currency != booking.currency:
            self.apart["other_currency"] += 1
        else:
            key = (snapshot.inputs.service, booking.currency, f"{card.id}/{card.version}")
            self._rows.setdefault(key, CardRow(*key)).add(booking.total, today.total)


def _read(booking: StoredBooking) -> Snapshot | None:
    try:
        return parse_snapshot_text(booking.pricing or "null")
    except ValueError:
        return None


def _request(snapshot: Snapshot) -> PriceRequest:
    """Return the request that was priced. Holidays that it left to the calendar are looked up anew."""
    inputs = snapshot.inputs
    starts_at, ends_at = inputs.stay
    return PriceRequest(
        service=inputs.service,
        starts_at=starts_at,
        ends_at=ends_at,
        visits=inputs.visits,
        pets=inputs.pets,
        holiday=inputs.holiday,
        time_zone=inputs.time_zone,
    )


def _reason(error: PricingError) -> Apart:
    match error:
        case UnknownRateCardError():
            return "card_gone"
        case UnknownServiceError():
            return "service_gone"
        case _:
            return "not_priced"
