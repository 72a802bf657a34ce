"""Response bodies (interface.md) of HTTP and of `audit export`. Class names are schema names in OpenAPI."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from audit.adapters.event_log_queries import EntryRecord
from audit.adapters.status_history import TransitionRecord
from chassis.postgres.stored_rows import UnreadableRow, show_row, show_rows
from chassis.process.terminal import json_lines
from contracts.metadata import format_time

_METADATA = msgspec.json.Decoder(dict[str, Any])


class EntryItem(TypedDict):
    """An EventLog entry. `leaf_index` is null until it is sealed."""

    entry_id: int
    event_type: str
    status: str
    source: str
    event_id: str
    booking_id: str | None
    actor: str | None
    error: str | None
    metadata: dict[str, Any]
    occurred_at: str | None
    recorded_at: str
    topic: str
    partition: int
    offset: int
    correlation_id: str | None
    causation_id: str | None
    leaf_index: int | None


class TransitionItem(TypedDict):
    """A status transition. `recorded_at` is booking's time, `entry_id` the entry that reported it."""

    version: int
    from_status: str | None
    to_status: str
    changed_by: str
    reason: str | None
    metadata: dict[str, str]
    recorded_at: str
    entry_id: int


class UnreadableEntry(TypedDict):
    """An entry whose row is damaged, at its position in the log: `unreadable` says what is wrong."""

    entry_id: int
    unreadable: str


class UnreadableTransition(TypedDict):
    """A transition whose row is damaged, at its position in the history."""

    version: int
    unreadable: str


class EntryPage(TypedDict):
    """Entries, newest first. Entries recorded at `complete_until` or later are in no answer yet.

    Payloads are kept since `oldest_retained` (null: since the beginning); `complete` is false if the page has
    an entry that is older.
    """

    items: list[EntryItem | UnreadableEntry]
    next_cursor: str | None
    complete_until: str
    oldest_retained: str | None
    complete: bool


class EntryDetail(EntryItem):
    """An entry with the digest of its payload, SHA-256(salt ‖ body) in hexadecimal, and its proof.

    `proof` is a C2SP tlog-proof, null until the entry is sealed: `audit verify-proof` checks it.
    """

    payload_digest: str
    proof: str | None


class FilterValues(TypedDict):
    """Values that entries have, sorted; `more` names the fields with further values."""

    event_type: NotRequired[list[str]]
    source: NotRequired[list[str]]
    status: NotRequired[list[str]]
    more: list[str]


class Payload(TypedDict):
    """The message behind an entry: `body` is its text, or base64 where the bytes are no UTF-8.

    `texts` are ids that the entry holds as digests.
    """

    entry_id: int
    event_type: str
    encoding: Literal["utf-8", "base64"]
    body: str
    texts: dict[str, str]


class BookingHistory(TypedDict):
    """Transitions, oldest first, up to the first gap; missing and waiting versions if there is a gap.

    `complete` is false if there is a gap, or if a transition has lost its reason and metadata with its
    payload, by an erasure or by retention. Payloads are kept since `oldest_retained` (null: the beginning).
    """

    booking_id: str
    history: list[TransitionItem | UnreadableTransition]
    oldest_retained: str | None
    complete: bool
    missing_versions: NotRequired[list[int]]
    waiting_versions: NotRequired[list[int]]


def shown_time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


async def ndjson(pages: AsyncGenerator[Sequence[EntryRecord | UnreadableRow]]) -> AsyncGenerator[bytes]:
    """Yield each page of entries as lines of JSON; close `pages` at the end."""
    async with aclosing(pages):
        async for entries in pages:
            yield json_lines(entry_items(entries))


def entry_items(entries: Sequence[EntryRecord | UnreadableRow]) -> list[EntryItem | UnreadableEntry]:
    """Return entries as items; a damaged one is marked."""
    shown = show_rows(entries, entry_item, EntryItem, key=lambda entry: entry.entry_id)
    return [
        {"entry_id": int(item["id"]), "unreadable": item["unreadable"]} if "unreadable" in item else item
        for item in shown
    ]


def shown_entry(entry: EntryRecord) -> EntryItem:
    """Return one entry as an item.

    Raises:
        UnreadableRowError: the entry's row is damaged.
    """
    return show_row(entry, entry_item, EntryItem, key=lambda entry: entry.entry_id)


def transition_items(
    recorded: Sequence[TransitionRecord | UnreadableRow],
) -> list[TransitionItem | UnreadableTransition]:
    """Return transitions as items; a damaged one is marked."""
    shown = show_rows(recorded, transition_item, TransitionItem, key=lambda each: each.transition.version)
    return [
        {"version": int(item["id"]), "unreadable": item["unreadable"]} if "unreadable" in item else item
        for item in shown
    ]


def entry_item(entry: EntryRecord) -> EntryItem:
    return {
        "entry_id": entry.entry_id,
        "event_type": entry.event_type,
        "status": entry.status,
        "source": entry.source,
        "event_id": entry.event_id,
        "booking_id": entry.booking_id,
        "actor": entry.actor,
        "error": entry.error,
        "metadata": _METADATA.decode(entry.metadata),
        "occurred_at": shown_time(entry.occurred_at),
        "recorded_at": format_time(entry.recorded_at),
        "topic": entry.topic,
        "partition": entry.partition,
        "offset": entry.record_offset,
        "correlation_id": entry.correlation_id,
        "causation_id": entry.causation_id,
        "leaf_index": entry.leaf_index,
    }


def transition_item(recorded: TransitionRecord) -> TransitionItem:
    """Return a transition as an item; reason and metadata are empty after the payload was erased."""
    transition = recorded.transition
    return {
        "version": transition.version,
        "from_status": transition.from_status,
        "to_status": transition.to_status,
        "changed_by": transition.changed_by,
        "reason": transition.reason,
        "metadata": transition.metadata,
        "recorded_at": format_time(transition.recorded_at),
        "entry_id": recorded.entry_id,
    }
