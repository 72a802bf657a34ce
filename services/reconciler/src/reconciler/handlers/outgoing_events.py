"""Outgoing events: messages of `reconciliation.events.v1` and commands, built from decisions."""

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
from reconciler.adapters.exceptions import Resolution, ResolvedException, UpsertedException
from reconciler.domain.counts import Errored
from reconciler.domain.price_findings import PriceFinding
from reconciler.domain.runs import RequestedRun
from reconciler.settings import SERVICE


def about_run(run_id: str, payload: WireModel) -> OutgoingEvent:
    """Return an event of a run; the run's id is key and correlation id."""
    return OutgoingEvent(payload=payload, key=run_id, source=SERVICE, subject=run_id, correlation_id=run_id)


def run_requested(request: RequestedRun) -> OutgoingEvent:
    """Return the command, the same for schedule, API and CLI (REC-1)."""
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
    """Return the event of a booking that could not be evaluated (REC-12)."""
    payload = BookingErrored(
        run_id=run_id, booking_id=errored.booking_id, error=errored.error, detected_at=now
    )
    return _about_booking(payload, errored.booking_id, correlation_id=run_id)


def drift_detected(run_id: str, finding: PriceFinding, *, now: datetime) -> OutgoingEvent:
    """Return the event of a pricing drift (REC-7)."""
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


def exception_opened(
    upserted: UpsertedException, *, now: datetime, correlation_id: str | None
) -> OutgoingEvent:
    finding = upserted.finding
    payload = ExceptionOpened(
        exception_id=upserted.exception_id,
        exception_type=finding.type,
        booking_id=finding.booking_id,
        severity=finding.severity,
        title=finding.title,
        fingerprint=finding.fingerprint,
        opened_at=now,
    )
    return _about_booking(payload, finding.booking_id or upserted.exception_id, correlation_id=correlation_id)


def exception_resolved(
    resolved: ResolvedException, resolution: Resolution, *, run_id: str | None, now: datetime
) -> OutgoingEvent:
    payload = ExceptionResolved(
        exception_id=resolved.exception_id,
        exception_type=resolved.type,
        booking_id=resolved.booking_id,
        resolution=resolution.code,
        reason=resolution.reason,
        actor=SERVICE,
        resolved_at=now,
    )
    return _about_booking(payload, resolved.booking_id or resolved.exception_id, correlation_id=run_id)


def _about_booking(payload: WireModel, key: str, *, correlation_id: str | None) -> OutgoingEvent:
    return OutgoingEvent(payload=payload, key=key, source=SERVICE, subject=key, correlation_id=correlation_id)
