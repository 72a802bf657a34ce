"""The events that the reconciler publishes, made from what it decided."""

from datetime import datetime

from chassis.messaging.outbox import OutgoingEvent
from contracts.money import Money
from contracts.reconciliation import (
    BookingErrored,
    DriftDetected,
    ExceptionOpened,
    ExceptionResolved,
    LineDifference,
    RunRequested,
)
from contracts.wire import WireModel
from reconciler.adapters.exceptions import Ending, Resolved, Seen
from reconciler.domain.findings import Finding
from reconciler.domain.runs import Request
from reconciler.domain.tallies import Errored
from reconciler.settings import SERVICE


def about_run(run_id: str, payload: WireModel) -> OutgoingEvent:
    """An event of a run; everything that a run says is correlated by its id."""
    return OutgoingEvent(payload=payload, key=run_id, source=SERVICE, subject=run_id, correlation_id=run_id)


def run_requested(request: Request) -> OutgoingEvent:
    """The command, the same for schedule, API and CLI (REC-1)."""
    return about_run(
        request.run_id,
        RunRequested(
            run_id=request.run_id,
            trigger=request.trigger,
            slot=request.slot,
            requested_by=request.requested_by,
            requested_at=request.requested_at,
        ),
    )


def booking_errored(run_id: str, errored: Errored, *, now: datetime) -> OutgoingEvent:
    """REC-12."""
    payload = BookingErrored(
        run_id=run_id, booking_id=errored.booking_id, error=errored.error, detected_at=now
    )
    return _about_booking(payload, errored.booking_id, correlation_id=run_id)


def drift_detected(run_id: str, finding: Finding, *, now: datetime) -> OutgoingEvent:
    """REC-7; for findings of type pricing_drift."""
    assert finding.drift_class is not None
    charged, difference = finding.charged, finding.charge_difference
    payload = DriftDetected(
        run_id=run_id,
        booking_id=finding.booking_id,
        drift_class=finding.drift_class,
        severity=finding.severity,
        drift=Money(finding.drift, finding.currency),
        charge_difference=None if difference is None else Money(difference, finding.currency),
        snapshot=Money(finding.snapshot, finding.currency),
        recomputed=Money(finding.recomputed, finding.currency),
        charged=None if charged is None else Money(charged, finding.currency),
        lines=[
            LineDifference(
                code=line.code,
                snapshot=line.snapshot_amount,
                recomputed=line.recomputed_amount,
                difference=line.difference,
            )
            for line in finding.lines
        ],
        detected_at=now,
    )
    return _about_booking(payload, finding.booking_id, correlation_id=run_id)


def exception_opened(seen: Seen, *, now: datetime, correlation_id: str | None) -> OutgoingEvent:
    """A new entry of the queue."""
    sighting = seen.sighting
    payload = ExceptionOpened(
        exception_id=seen.exception_id,
        exception_type=sighting.type,
        booking_id=sighting.booking_id,
        severity=sighting.severity,
        title=sighting.title,
        fingerprint=sighting.fingerprint,
        opened_at=now,
    )
    return _about_booking(payload, sighting.booking_id or seen.exception_id, correlation_id=correlation_id)


def exception_resolved(resolved: Resolved, ending: Ending, *, run_id: str, now: datetime) -> OutgoingEvent:
    """An entry that a run closed."""
    payload = ExceptionResolved(
        exception_id=resolved.exception_id,
        exception_type=resolved.type,
        booking_id=resolved.booking_id,
        resolution=ending.resolution,
        reason=ending.reason,
        actor=SERVICE,
        resolved_at=now,
    )
    return _about_booking(payload, resolved.booking_id or resolved.exception_id, correlation_id=run_id)


def _about_booking(payload: WireModel, key: str, *, correlation_id: str | None) -> OutgoingEvent:
    return OutgoingEvent(payload=payload, key=key, source=SERVICE, subject=key, correlation_id=correlation_id)
