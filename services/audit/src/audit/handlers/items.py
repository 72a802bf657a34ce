"""Entries and transitions as they are given out (interface.md), over HTTP and by the export alike."""

from typing import Any, TypedDict

import msgspec

from audit.adapters.event_log_reading import StoredEntry
from audit.adapters.status_history import Recorded
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
        "metadata": msgspec.json.decode(entry.metadata),
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
