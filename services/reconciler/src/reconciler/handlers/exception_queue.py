"""The exception queue: exception, history and events of findings, in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from chassis.messaging import outbox
from chassis.messaging.outbox import OutgoingEvent
from chassis.postgres import Connection
from contracts.metadata import MessageMetadata
from reconciler.adapters import exceptions
from reconciler.adapters.exceptions import Change, Resolution, UpsertedException
from reconciler.domain.findings import RUN_TYPES, Finding, RunType
from reconciler.handlers import outgoing_events
from reconciler.settings import SERVICE

FOUND_BY_RUN = "found by a reconciliation run"
NOT_FOUND = Resolution("fixed", "not found any more by a reconciliation run")
CANCELLED = Resolution("not_evaluated", "no longer evaluated: the booking is cancelled")


async def queue_findings(
    connection: Connection,
    findings: Sequence[Finding],
    *,
    evaluated: Sequence[str],
    cancelled: Sequence[str],
    run_id: str,
    now: datetime,
) -> None:
    """Open, revise or count the exceptions of a page's findings, and resolve those not found again (REC-8).

    Args:
        connection: in the page's transaction.
        findings: of the page's bookings.
        evaluated: bookings of the page that were evaluated.
        cancelled: cancelled bookings of the page: only their money was evaluated.
        run_id: the run.
        now: time of the findings.
    """
    upserted = await exceptions.upsert(connection, findings, now=now, run_id=run_id) if findings else []
    await _record_changes(connection, upserted, actor=SERVICE, reason=FOUND_BY_RUN, run_id=run_id)
    changed = {entry.finding.fingerprint for entry in upserted if entry.change is not None}
    # A drift is published when it is new or has changed, not every night.
    drifts = [finding.drift for finding in findings if finding.drift and finding.fingerprint in changed]
    await outbox.append(
        connection,
        [
            *(outgoing_events.drift_detected(run_id, drift, now=now) for drift in drifts),
            *_opened_events(upserted, now=now, correlation_id=run_id),
        ],
    )
    for booking_ids, resolution in ((evaluated, NOT_FOUND), (cancelled, CANCELLED)):
        await resolve(connection, booking_ids, resolution, run_id=run_id, now=now)


async def resolve(
    connection: Connection,
    booking_ids: Sequence[str],
    resolution: Resolution,
    *,
    run_id: str,
    now: datetime,
    types: Sequence[RunType] = RUN_TYPES,
) -> None:
    """Resolve the exceptions of these bookings and types that this run did not find."""
    resolved = await exceptions.resolve_not_found(
        connection, booking_ids, resolution, run_id=run_id, now=now, types=types
    )
    if not resolved:
        return
    await exceptions.record(
        connection,
        [(entry.exception_id, "resolved") for entry in resolved],
        actor=SERVICE,
        reason=resolution.reason,
        run_id=run_id,
    )
    await outbox.append(
        connection,
        [outgoing_events.exception_resolved(entry, resolution, run_id=run_id, now=now) for entry in resolved],
    )


async def queue_reported(
    connection: Connection, finding: Finding, *, cause: MessageMetadata, now: datetime
) -> None:
    """Open, revise or count the exception that another service reported; no run resolves it."""
    upserted = await exceptions.upsert(connection, [finding], now=now, run_id=None)
    reason = f"reported by {cause.type}"
    await _record_changes(connection, upserted, actor=cause.source, reason=reason, run_id=None)
    opened = _opened_events(upserted, now=now, correlation_id=None)
    await outbox.append(connection, [outbox.caused_by(event, cause) for event in opened])


async def resolve_reported(
    connection: Connection, fingerprint: str, explanation: str, *, cause: MessageMetadata, now: datetime
) -> None:
    """Resolve the payment anomaly whose reason is gone, as its service reports."""
    resolution = Resolution("fixed", explanation)
    resolved = await exceptions.resolve_reported(
        connection, "payment_anomaly", fingerprint, resolution, now=now
    )
    await exceptions.record(
        connection,
        [(entry.exception_id, "resolved") for entry in resolved],
        actor=cause.source,
        reason=explanation,
        run_id=None,
    )
    events = [
        outgoing_events.exception_resolved(entry, resolution, run_id=None, now=now) for entry in resolved
    ]
    await outbox.append(connection, [outbox.caused_by(event, cause) for event in events])


async def _record_changes(
    connection: Connection,
    upserted: Sequence[UpsertedException],
    *,
    actor: str,
    reason: str,
    run_id: str | None,
) -> None:
    changes: list[tuple[str, Change]] = [
        (entry.exception_id, entry.change) for entry in upserted if entry.change is not None
    ]
    await exceptions.record(connection, changes, actor=actor, reason=reason, run_id=run_id)


def _opened_events(
    upserted: Sequence[UpsertedException], *, now: datetime, correlation_id: str | None
) -> list[OutgoingEvent]:
    return [
        outgoing_events.exception_opened(entry, now=now, correlation_id=correlation_id)
        for entry in upserted
        if entry.change == "opened"
    ]
