"""Filters and positions of the EventLog."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from audit.domain.events import source_name
from audit.domain.facts import Status
from audit.domain.identifiers import booking_identifier, identifier
from audit.domain.search import matches, words_of
from contracts.text import sanitize_for_postgres

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BIGINT_MAX = 2**63 - 1


class FilterError(ValueError):
    """A filter or cursor is invalid; the message says what to change."""


class FilteredEntry(Protocol):
    """Fields of an entry that filters compare."""

    @property
    def event_type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def event_id(self) -> str: ...
    @property
    def booking_id(self) -> str | None: ...
    @property
    def actor(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def correlation_id(self) -> str | None: ...
    @property
    def causation_id(self) -> str | None: ...


SEARCHED = (
    "event_type", "source", "event_id", "booking_id", "actor", "error", "correlation_id", "causation_id",
)  # fmt: skip
"""Fields in which a text is searched."""


def searched_fields(entry: FilteredEntry) -> list[str | None]:
    """Return the texts of the SEARCHED fields."""
    return [getattr(entry, name) for name in SEARCHED]


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Filter of entries: an entry matches if it agrees with every given field.

    Attributes:
        recorded_from, recorded_to: by audit's database clock, which no sender can set; `recorded_to` is
            excluded.
        text: words in order within one field: type, source, id, actor or error. Payloads are not searched.
    """

    event_type: str | None = None
    status: Status | None = None
    source: str | None = None
    booking_id: str | None = None
    event_id: str | None = None
    actor: str | None = None
    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    text: str | None = None

    @property
    def phrase(self) -> list[str]:
        """Words of the text, in order."""
        return words_of(self.text) if self.text else []

    @property
    def is_search(self) -> bool:
        """True if no index has the entries in order: they are found by their blocks.

        An index serves one filter alone, an event's id, and a booking with other filters.
        """
        if self.event_id is not None or self.booking_id is not None:
            return False
        if self.text is not None or self.actor is not None:
            return True
        return sum(value is not None for value in (self.event_type, self.status, self.source)) > 1

    def matches(self, entry: FilteredEntry) -> bool:
        """Return whether an entry agrees with every given field except the times."""
        same = all(
            value is None or value == stored
            for value, stored in (
                (self.event_type, entry.event_type),
                (self.status, entry.status),
                (self.source, entry.source),
                (self.booking_id, entry.booking_id),
                (self.event_id, entry.event_id),
                (self.actor, entry.actor),
            )
        )
        return same and (self.text is None or matches(self.phrase, searched_fields(entry)))


def entry_filter(
    *,
    event_type: str | None,
    status: Status | None,
    source: str | None,
    booking_id: str | None,
    event_id: str | None,
    actor: str | None,
    recorded_from: datetime | None,
    recorded_to: datetime | None,
    text: str | None,
) -> EntryFilter:
    """Return the filter in the spelling of entries: `/webhooks/stripe` means "stripe".

    Raises:
        FilterError: a time has no offset, or the text has no word.
    """
    if text is not None and not words_of(text):
        raise FilterError('q: has no letter and no digit; expected words such as "payment_intent"')
    return EntryFilter(
        event_type=identifier(event_type) if event_type else None,
        status=status,
        source=identifier(source_name(source)) if source else None,
        booking_id=booking_identifier(booking_id) if booking_id else None,
        event_id=identifier(event_id) if event_id else None,
        actor=identifier(actor) if actor else None,
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


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Position of an entry in the order of the log. With entry_id 0 it is before all entries of its time."""

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


def narrowest(
    query: EntryFilter, after: Position | None, *, newest_first: bool
) -> tuple[EntryFilter, Position | None]:
    """Return the query and the position with only one bound at the end where a page begins.

    With two, PostgreSQL begins at the wider one and reads every entry up to the page.
    """
    bound = query.recorded_to if newest_first else query.recorded_from
    if after is None or bound is None:
        return query, after
    if newest_first:
        return (replace(query, recorded_to=None), after) if after.recorded_at < bound else (query, None)
    return (replace(query, recorded_from=None), after) if after.recorded_at >= bound else (query, None)
