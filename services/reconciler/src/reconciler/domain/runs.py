"""A reconciliation run: what it is, and the identity that makes it happen once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid5

Trigger = Literal["schedule", "api", "cli"]

ATTEMPTS_MAX = 12
"""Failed attempts at one page before the run is given up; with the back-off of a loop, most of a minute."""

_DERIVED_VERSION = 5
_SLOTS = UUID("6f1f2f0c-3c39-5d0e-9a44-0d3b8f1c52a7")
_IDEMPOTENCY_KEYS = UUID("0f0d3c57-52a5-5a0b-8f43-2b8f5ef7b1c9")


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody wants a run: which one, who, when. `slot` is the scheduled moment, None for API and CLI."""

    run_id: str
    trigger: Trigger
    slot: datetime | None
    requested_by: str
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run in work.

    Attributes:
        after_booking_id: the last booking of the last page that was committed; None before the first.
        attempts: times it was taken up since that page, this one included.
        last_error: of the attempt before, None where it left no word (a crash).
    """

    run_id: str
    trigger: Trigger
    slot: datetime | None
    after_booking_id: str | None
    attempts: int
    last_error: str | None


def run_id_of_slot(slot: datetime) -> str:
    """The same in every replica, so that a slot is run once however many of them fire it (REC-1)."""
    return str(uuid5(_SLOTS, slot.astimezone(UTC).isoformat()))


def stranger_problem(run_id: str, trigger: Trigger, slot: datetime | None, *, now: datetime) -> str:
    """Return why a request that no row of ours stands for cannot have this run id; "" where it can.

    A slot's id is derived, so anybody can compute it. Only the slot's own request may have it, and not before
    the slot has come: else the genuine request would find its run there already.
    """
    if trigger == "schedule" and slot is not None:
        if slot > now:
            return "a slot that has not come yet"
        return "" if UUID(run_id) == UUID(run_id_of_slot(slot)) else "the run id is not that of its slot"
    return "a run id as the schedule derives them" if UUID(run_id).version == _DERIVED_VERSION else ""


def run_id_of_key(actor: str, idempotency_key: str) -> str:
    """The same for a repeated request, so that a client may safely ask again."""
    return str(uuid5(_IDEMPOTENCY_KEYS, f"{actor}\n{idempotency_key}"))
