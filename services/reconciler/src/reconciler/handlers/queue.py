"""Putting sightings into the exception queue: entry, history and events, in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from chassis import outbox
from chassis.outbox import OutgoingEvent
from chassis.postgres import Connection
from contracts.metadata import MessageMetadata
from reconciler.adapters import exceptions
from reconciler.adapters.exceptions import Change, Seen
from reconciler.domain.findings import Finding
from reconciler.domain.sightings import Sighting, sighting_of_finding
from reconciler.handlers import announcements
from reconciler.settings import SERVICE

SEEN_REASON = "found by a reconciliation run"
NOT_SEEN_REASON = "not found any more by a reconciliation run"


async def enter_findings(
    connection: Connection,
    findings: Sequence[Finding],
    *,
    evaluated: Sequence[str],
    run_id: str,
    now: datetime,
) -> None:
    """Open, revise or count what a run found, and resolve what it looked for and did not find (REC-8).

    Args:
        connection: in the page's transaction.
        findings: of these bookings.
        evaluated: bookings of the page; one that could not be evaluated is not among them.
        run_id: the run.
        now: when it was seen.
    """
    sightings = [sighting_of_finding(finding) for finding in findings]
    seen = await exceptions.see(connection, sightings, now=now, run_id=run_id) if sightings else []
    resolved = await exceptions.resolve_unseen(connection, evaluated=evaluated, seen=sightings, now=now)
    await _record_seen(connection, seen, actor=SERVICE, reason=SEEN_REASON, run_id=run_id)
    await exceptions.record(
        connection,
        [(entry.exception_id, "resolved") for entry in resolved],
        actor=SERVICE,
        reason=NOT_SEEN_REASON,
        run_id=run_id,
    )
    drifts = _drifts_to_announce(seen, findings, sightings)
    await outbox.append(
        connection,
        [
            *(announcements.drift_detected(run_id, finding, now=now) for finding in drifts),
            *_opened_events(seen, now=now, correlation_id=run_id),
            *(announcements.exception_resolved(entry, run_id=run_id, now=now) for entry in resolved),
        ],
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


def _drifts_to_announce(
    seen: Sequence[Seen], findings: Sequence[Finding], sightings: Sequence[Sighting]
) -> list[Finding]:
    """A drift is announced when it is new or has changed, not again every night."""
    changed = {entry.sighting.fingerprint for entry in seen if entry.change is not None}
    return [
        finding
        for finding, sighting in zip(findings, sightings, strict=True)
        if finding.type == "pricing_drift" and sighting.fingerprint in changed
    ]


def _opened_events(seen: Sequence[Seen], *, now: datetime, correlation_id: str | None) -> list[OutgoingEvent]:
    return [
        announcements.exception_opened(entry, now=now, correlation_id=correlation_id)
        for entry in seen
        if entry.change == "opened"
    ]
