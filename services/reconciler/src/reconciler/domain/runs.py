"""A reconciliation run, and the id that makes it happen once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid5

from reconciler.domain.scopes import ALL, Scope

Trigger = Literal["schedule", "api", "cli"]
RunEnd = Literal["completed", "failed", "cancelled"]

RUN_ENDS: tuple[RunEnd, ...] = ("completed", "failed", "cancelled")

ATTEMPTS_MAX = 12
"""Failed attempts at one page before the run fails; with the loop's back-off most of a minute."""

STALLED_HOURS_MAX = 24
"""A run that has committed no page for this time fails: the next slot starts a new one."""

_DERIVED_VERSION = 5
_SLOTS = UUID("6f1f2f0c-3c39-5d0e-9a44-0d3b8f1c52a7")


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """A request for a run. `slot` is the scheduled time; None for API and CLI."""

    run_id: str
    trigger: Trigger
    slot: datetime | None
    requested_by: str
    requested_at: datetime
    scope: Scope = ALL
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A claimed run.

    Attributes:
        scope: as stored; `parse_scope` reads it.
        after_booking_id: last booking of the last committed page; None before the first page.
        attempts: claims since that page, including this one.
        last_error: of the previous attempt; None after a crash.
        progressed_at: time of that page; the beginning before the first one.
    """

    run_id: str
    trigger: Trigger
    slot: datetime | None
    after_booking_id: str | None
    attempts: int
    last_error: str | None
    progressed_at: datetime
    scope: str = "all"
    is_dry_run: bool = False


def run_id_of_slot(slot: datetime) -> str:
    """Return the run id of a slot, the same in every replica: a slot is run once (REC-1)."""
    return str(uuid5(_SLOTS, slot.astimezone(UTC).isoformat()))


def request_problem(trigger: Trigger, slot: datetime | None, scope: Scope, *, is_dry_run: bool) -> str:
    """Return why a request contradicts itself; "" if it does not."""
    if (trigger == "schedule") != (slot is not None):
        return "slot: a scheduled run has one, no other has"
    if slot is not None and (scope != ALL or is_dry_run):
        return "scope, dry_run: a scheduled run reads all bookings and writes its findings"
    return ""


def foreign_request_problem(run_id: str, trigger: Trigger, slot: datetime | None, *, now: datetime) -> str:
    """Return why a request without a row cannot have this run id; "" if it can.

    A slot's id is derived, so every sender can compute it. Only the slot's own request may have it, and only
    from the slot's time on: otherwise the scheduler's request would find the run already there.
    """
    if trigger == "schedule" and slot is not None:
        if slot > now:
            return "a slot that has not come yet"
        return "" if UUID(run_id) == UUID(run_id_of_slot(slot)) else "the run id is not that of its slot"
    return "a run id as the schedule derives them" if UUID(run_id).version == _DERIVED_VERSION else ""
