"""Entries and transitions as they are given out (interface.md), over HTTP and by the export alike."""

from collections.abc import Sequence
from typing import Any, TypedDict

import msgspec

from audit.adapters.event_log_reading import StoredEntry
from audit.adapters.status_history import Recorded
from chassis.postgres.stored_rows import UnreadableRow, show_row, show_rows
from contracts.metadata import format_time


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
    """One status transition; `recorded_at` is booking's, `entry_id` the entry that brought it."""

    version: int
    from_status: str | None
    to_status: str
    changed_by: str
    reason: str | None
    metadata: dict[str, str]
    recorded_at: str
    entry_id: int


class UnreadableEntry(TypedDict):
    """An entry that cannot be shown, in its place in the log: `unreadable` says what is wrong with it."""

    entry_id: int
    unreadable: str


class UnreadableTransition(TypedDict):
    """A transition that cannot be shown, in its place in the history."""

    version: int
    unreadable: str


def entry_items(entries: Sequence[StoredEntry | UnreadableRow]) -> list[EntryItem | UnreadableEntry]:
    """Return entries, given out; one that cannot be shown is marked."""
    shown = show_rows(entries, entry_item, EntryItem, key=lambda entry: entry.entry_id)
    return [
        {"entry_id": int(item["id"]), "unreadable": item["unreadable"]} if "unreadable" in item else item
        for item in shown
    ]


def shown_entry(entry: StoredEntry) -> EntryItem:
    """Return one entry, given out.

    Raises:
        UnreadableRowError: it cannot be shown.
    """
    return show_row(entry, entry_item, EntryItem, key=lambda entry: entry.entry_id)


def transition_items(
    recorded: Sequence[Recorded | UnreadableRow],
) -> list[TransitionItem | UnreadableTransition]:
    """Return transitions, given out; one that cannot be shown is marked."""
    shown = show_rows(recorded, transition_item, TransitionItem, key=lambda each: each.transition.version)
    return [
        {"version": int(item["id"]), "unreadable": item["unreadable"]} if "unreadable" in item else item
        for item in shown
    ]


def entry_item(entry: StoredEntry) -> EntryItem:
    """An entry, given out."""
    return {
        "entry_id": entry.entry_id,
        "event_type": entry.event_type,
        "status": entry.status,
        "source": entry.source,
        "event_id": entry.event_id,
        "booking_id": entry.booking_id,
        "actor": entry.actor,
        "error": entry.error,
        "metadata": msgspec.json.decode(entry.metadata, type=dict[str, Any]),
        "occurred_at": format_time(entry.occurred_at) if entry.occurred_at else None,
        "recorded_at": format_time(entry.recorded_at),
        "topic": entry.topic,
        "partition": entry.partition,
        "offset": entry.record_offset,
        "correlation_id": entry.correlation_id,
        "causation_id": entry.causation_id,
        "leaf_index": None,
    }


def transition_item(recorded: Recorded) -> TransitionItem:
    """A transition, given out; reason and metadata are empty once the payload is erased."""
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
