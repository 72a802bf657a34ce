"""Filters and positions of the EventLog."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from audit.domain.events import source_name
from audit.domain.facts import Status
from audit.domain.identifiers import booking_identifier, identifier
from contracts.text import sanitize_for_postgres

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BIGINT_MAX = 2**63 - 1


class FilterError(ValueError):
    """A filter or cursor is invalid; the message says what to change."""


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Filter of entries: an entry matches if it agrees with every given field.

    Attributes:
        recorded_from, recorded_to: by audit's database clock, which no sender can set; `recorded_to` is
            excluded.
        text: part of a type, id, actor or error, in any case of letters. Payloads are not searched.
    """

    event_type: str | None = None
    status: Status | None = None
    source: str | None = None
    booking_id: str | None = None
    event_id: str | None = None
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    text: str | None = None

    @property
    def is_search(self) -> bool:
        """True if many entries may be read to find a few.

        An index serves one filter alone, an event's id, and a booking with other filters.
        """
        if self.event_id is not None or (self.booking_id is not None and self.text is None):
            return False
        scanned = (self.event_type, self.status, self.source)
        return self.text is not None or sum(value is not None for value in scanned) > 1


def entry_filter(
    *,
    event_type: str | None,
    status: Status | None,
    source: str | None,
    booking_id: str | None,
    event_id: str | None,
    recorded_from: datetime | None,
    recorded_to: datetime | None,
    text: str | None,
) -> EntryFilter:
    """Return the filter in the spelling of entries: `/webhooks/stripe` means "stripe".

    Raises:
        FilterError: a time has no offset.
    """
    return EntryFilter(
        event_type=identifier(event_type) if event_type else None,
        status=status,
        source=identifier(source_name(source)) if source else None,
        booking_id=booking_identifier(booking_id) if booking_id else None,
        event_id=identifier(event_id) if event_id else None,
        recorded_from=_moment("from", recorded_from),
        recorded_to=_moment("to", recorded_to),
        text=sanitize_for_postgres(text) if text else None,
    )


def _moment(name: str, moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise FilterError(f'{name}: a time needs its offset; add "Z" for UTC')
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise FilterError(f"{name}: no such time in UTC") from error


@dataclass(frozen=True, slots=True)
class Position:
    """Position of an entry in the order of the log."""

    recorded_at: datetime
    entry_id: int

    def to_key(self) -> tuple[int, int]:
        """Return microseconds since 1970 and the entry's number, for a cursor."""
        return (self.recorded_at - _EPOCH) // _MICROSECOND, self.entry_id

    @classmethod
    def from_key(cls, microseconds: int, entry_id: int) -> "Position":
        """Return the position of a key.

        Raises:
            FilterError: no entry can have this position.
        """
        try:
            recorded_at = _EPOCH + microseconds * _MICROSECOND
        except OverflowError as error:
            raise FilterError("cursor: not one that this list gave out; leave it away to begin") from error
        if not 0 < entry_id <= _BIGINT_MAX:
            raise FilterError("cursor: not one that this list gave out; leave it away to begin")
        return cls(recorded_at, entry_id)
