"""Outgoing events: messages of `reconciliation.events.v1` and commands, built from decisions."""

from collections.abc import Sequence
from datetime import datetime

from chassis.messaging.outbox import OutgoingEvent
from contracts.money import Money
from contracts.reconciliation import (
    BookingErrored,
    DriftDetected,
    ExceptionChanged,
    ExceptionOpened,
    ExceptionOverdue,
    ExceptionResolved,
    LineDifference,
    OperationFinished,
    RunRequested,
    SlotsSkipped,
)
from contracts.sweeps import SweepCompleted, SweepFailed, SweepRequested
from contracts.wire import WireModel
from reconciler.adapters.exception_clocks import ClockName, OverdueException
from reconciler.adapters.operations import OperationEnd
from reconciler.adapters.sweeps import EndedSweep
from reconciler.domain.decisions import Step
from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.findings import Finding
from reconciler.domain.obstacles import Errored
from reconciler.domain.operations import Action, OperationStatus
from reconciler.domain.price_findings import PriceFinding
from reconciler.domain.runs import RequestedRun
from reconciler.domain.sweeps import RequestedSweep
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
            scope=str(request.scope),
            dry_run=request.is_dry_run,
        ),
    )


def slots_skipped(slots: Sequence[datetime], *, made_up_by: str | None, now: datetime) -> OutgoingEvent:
    """Return the event of scheduled times without a run of their own (REC-1)."""
    payload = SlotsSkipped(
        first_slot=slots[0], last_slot=slots[-1], slots=len(slots), made_up_by=made_up_by, noticed_at=now
    )
    return OutgoingEvent(
        payload=payload, key=SERVICE, source=SERVICE, subject=SERVICE, correlation_id=made_up_by
    )


def sweep_requested(request: RequestedSweep) -> OutgoingEvent:
    """Return the event of a requested sweep, the same for every trigger (REC-13)."""
    return about_run(
        request.sweep_id,
        SweepRequested(
            sweep_id=request.sweep_id,
            trigger=request.trigger,
            slot=request.slot,
            since=request.since,
            requested_by=request.requested_by,
            requested_at=request.requested_at,
            dry_run=request.is_dry_run,
        ),
    )


def sweep_ended(sweep_id: str, end: EndedSweep, *, error: str | None, at: datetime) -> OutgoingEvent:
    """Return the event of a sweep that was completed, or given up with an error (REC-13)."""
    payload: SweepCompleted | SweepFailed
    if error is None:
        payload = SweepCompleted(
            sweep_id=sweep_id,
            dry_run=end.is_dry_run,
            seen=end.seen,
            known=end.known,
            pending=end.pending,
            missed=end.missed,
            compared=end.compared,
            mismatches=end.mismatches,
            requests=end.requests,
            finished_at=at,
        )
    else:
        payload = SweepFailed(
            sweep_id=sweep_id, dry_run=end.is_dry_run, error=error, requests=end.requests, finished_at=at
        )
    return about_run(sweep_id, payload)


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


def exception_event(
    state: ExceptionState, step: Step, finding: Finding | None, correlation_id: str | None, now: datetime
) -> OutgoingEvent | None:
    """Return the event of a step; None for a machine's step while the exception has only waited."""
    if state.opened_at is None and step.by == SERVICE:
        return None
    payload: ExceptionOpened | ExceptionResolved | ExceptionChanged
    if step.kind == "opened" and finding is not None:
        payload = ExceptionOpened(
            exception_id=state.id,
            exception_type=state.type,
            booking_id=state.booking_id,
            severity=state.severity,
            title=finding.title,
            fingerprint=state.fingerprint,
            opened_at=now,
        )
    elif step.kind == "resolved" and state.workflow.resolution is not None:
        payload = ExceptionResolved(
            exception_id=state.id,
            exception_type=state.type,
            booking_id=state.booking_id,
            resolution=state.workflow.resolution.code,
            reason=step.reason,
            actor=step.by,
            resolved_at=now,
        )
    else:
        payload = ExceptionChanged(
            exception_id=state.id,
            exception_type=state.type,
            booking_id=state.booking_id,
            step=step.kind,
            status=state.status,
            severity=state.severity,
            assignee=state.workflow.assignee,
            revision=state.revision,
            version=state.version,
            actor=step.by,
            reason=step.reason,
            changed_at=now,
        )
    return _about_booking(payload, state.booking_id or state.id, correlation_id=correlation_id)


def operation_finished(
    operation_id: str, action: Action, status: OperationStatus, end: OperationEnd, *, at: datetime
) -> OutgoingEvent:
    """Return the event of a bulk operation that was applied, was taken back, or failed (REC-9b)."""
    payload = OperationFinished(
        operation_id=operation_id,
        action=action,
        status=status,
        actor=end.actor,
        selected=sum(end.counts.values()),
        **end.counts,
        started_at=end.started_at,
        finished_at=at,
    )
    return about_run(operation_id, payload)


def exception_overdue(overdue: OverdueException, clock: ClockName, *, now: datetime) -> OutgoingEvent:
    """Return the event of an exception whose time to acknowledge or to resolve is over (REC-9c)."""
    payload = ExceptionOverdue(
        exception_id=overdue.id,
        exception_type=overdue.type,
        booking_id=overdue.booking_id,
        clock=clock,
        severity=overdue.severity,
        status=overdue.status,
        assignee=overdue.assignee,
        due_at=overdue.due_at,
        noticed_at=now,
    )
    return _about_booking(payload, overdue.booking_id or overdue.id, correlation_id=None)


def _about_booking(payload: WireModel, key: str, *, correlation_id: str | None) -> OutgoingEvent:
    return OutgoingEvent(payload=payload, key=key, source=SERVICE, subject=key, correlation_id=correlation_id)
