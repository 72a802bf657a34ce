"""Putting sightings into the exception queue: entry, history and events, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.messaging import outbox
from chassis.messaging.outbox import OutgoingEvent
from chassis.postgres import Connection
from contracts.metadata import MessageMetadata
from reconciler.adapters import exceptions
from reconciler.adapters.exceptions import Change, Ending, Seen
from reconciler.domain.findings import Finding
from reconciler.domain.sightings import RUN_TYPES, RunType, Sighting
from reconciler.handlers import announcements
from reconciler.settings import SERVICE

SEEN_REASON = "found by a reconciliation run"
NOT_SEEN = Ending("fixed", "not found any more by a reconciliation run")
CANCELLED = Ending("not_evaluated", "no longer evaluated: the booking is cancelled")


@dataclass(frozen=True, slots=True)
class Observed:
    """What a run saw of a booking; `drift` is the finding to announce besides, for a pricing drift."""

    sighting: Sighting
    drift: Finding | None = None


async def enter_observed(
    connection: Connection,
    observed: Sequence[Observed],
    *,
    evaluated: Sequence[str],
    cancelled: Sequence[str],
    run_id: str,
    now: datetime,
) -> None:
    """Open, revise or count what a run observed, and resolve what it looked for and did not find (REC-8).

    Args:
        connection: in the page's transaction.
        observed: of the page's bookings.
        evaluated: bookings of the page; one that could not be evaluated is not among them.
        cancelled: bookings of the page of which only the money counts.
        run_id: the run.
        now: when it was seen.
    """
    sightings = [each.sighting for each in observed]
    seen = await exceptions.see(connection, sightings, now=now, run_id=run_id) if sightings else []
    await _record_seen(connection, seen, actor=SERVICE, reason=SEEN_REASON, run_id=run_id)
    changed = {entry.sighting.fingerprint for entry in seen if entry.change is not None}
    # A drift is announced when it is new or has changed, not again every night.
    drifts = [each.drift for each in observed if each.drift and each.sighting.fingerprint in changed]
    await outbox.append(
        connection,
        [
            *(announcements.drift_detected(run_id, finding, now=now) for finding in drifts),
            *_opened_events(seen, now=now, correlation_id=run_id),
        ],
    )
    for booking_ids, ending in ((evaluated, NOT_SEEN), (cancelled, CANCELLED)):
        await end(connection, booking_ids, ending, run_id=run_id, now=now)


async def end(
    connection: Connection,
    booking_ids: Sequence[str],
    ending: Ending,
    *,
    run_id: str,
    now: datetime,
    types: Sequence[RunType] = RUN_TYPES,
) -> None:
    """Resolve the exceptions of these bookings that a run looks for and that this run did not see."""
    resolved = await exceptions.resolve_unseen(
        connection, booking_ids, ending, run_id=run_id, now=now, types=types
    )
    if not resolved:
        return
    await exceptions.record(
        connection,
        [(entry.exception_id, "resolved") for entry in resolved],
        actor=SERVICE,
        reason=ending.reason,
        run_id=run_id,
    )
    await outbox.append(
        connection,
        [announcements.exception_resolved(entry, ending, run_id=run_id, now=now) for entry in resolved],
    )


async def enter_reported(
    connection: Connection, sighting: Sighting, *, cause: MessageMetadata, now: datetime
) -> None:
    """Open, revise or count what another service reported; no run resolves it."""
    seen = await exceptions.see(connection, [sighting], now=now, run_id=None)
    await _record_seen(connection, seen, actor=cause.source, reason=f"reported by {cause.type}", run_id=None)
    opened = _opened_events(seen, now=now, correlation_id=None)
    await outbox.append(connection, [outbox.caused_by(event, cause) for event in opened])


async def _record_seen(
    connection: Connection, seen: Sequence[Seen], *, actor: str, reason: str, run_id: str | None
) -> None:
    changes: list[tuple[str, Change]] = [
        (entry.exception_id, entry.change) for entry in seen if entry.change is not None
    ]
    await exceptions.record(connection, changes, actor=actor, reason=reason, run_id=run_id)


def _opened_events(seen: Sequence[Seen], *, now: datetime, correlation_id: str | None) -> list[OutgoingEvent]:
    return [
        announcements.exception_opened(entry, now=now, correlation_id=correlation_id)
        for entry in seen
        if entry.change == "opened"
    ]
