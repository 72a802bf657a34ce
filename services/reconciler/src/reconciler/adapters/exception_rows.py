"""Rows of table `exception` as states, and back."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from reconciler.domain.exceptions import (
    Baseline,
    Clock,
    ExceptionState,
    Proposal,
    Resolution,
    Suppression,
    Workflow,
)
from reconciler.domain.findings import Finding

STATE_COLUMNS = """
    id, type, booking_id, fingerprint, severity, difference, currency, amount, occurrences, revision, version,
    evidence, waiting, opened_at, regressions, escalated_at, status, assignee, suppressed_until,
    suppressed_beyond, suppressed_occurrences, proposed_resolution, proposed_by, proposed_up_to, resolution,
    resolved_at, resolved_by, resolved_by_machine, resolved_up_to, baseline_severity, baseline_size,
    baseline_occurrences, clock_counted, clock_running_since, acknowledged_after, resolved_after
"""


def stakes(findings: Sequence[Finding]) -> tuple[list[Any], ...]:
    """Return the columns currency, amount, line, rate_card and engine of findings."""
    return (
        [finding.currency for finding in findings],
        [None if finding.amount is None else Decimal(finding.amount) for finding in findings],
        [finding.cause.line for finding in findings],
        [finding.cause.rate_card for finding in findings],
        [finding.cause.engine for finding in findings],
    )


def state_columns(state: ExceptionState) -> tuple[Any, ...]:
    """Return the values of a state, the id first, in the order of the statement that updates."""
    workflow, clock = state.workflow, state.clock
    suppression = workflow.suppression or Suppression()
    proposal, resolution, baseline = workflow.proposal, workflow.resolution, workflow.baseline
    return (
        UUID(state.id), state.occurrences, state.revision, state.version, state.evidence, state.waiting,
        state.opened_at, state.regressions, state.escalated_at, workflow.status, workflow.assignee,
        suppression.until, _numeric(suppression.beyond), suppression.occurrences,
        *((None, None, None) if proposal is None else (proposal.code, proposal.by, _numeric(proposal.up_to))),
        *(
            (None, None, None, None, None)
            if resolution is None
            else (
                resolution.code, resolution.at, resolution.by, resolution.is_machine,
                _numeric(resolution.up_to),
            )
        ),
        *(
            (None, None, None)
            if baseline is None
            else (baseline.severity, _numeric(baseline.size), baseline.occurrences)
        ),
        clock.counted, clock.running_since, clock.acknowledged_after, clock.resolved_after,
    )  # fmt: skip


def read_state(row: asyncpg.Record) -> ExceptionState:
    """Return the state that a row of STATE_COLUMNS holds."""
    return ExceptionState(
        id=str(row["id"]),
        type=row["type"],
        booking_id=row["booking_id"],
        fingerprint=row["fingerprint"],
        severity=row["severity"],
        difference=row["difference"],
        currency=row["currency"],
        size=None if row["amount"] is None else abs(int(row["amount"])),
        occurrences=row["occurrences"],
        revision=row["revision"],
        version=row["version"],
        evidence=row["evidence"],
        waiting=row["waiting"],
        opened_at=row["opened_at"],
        regressions=row["regressions"],
        escalated_at=row["escalated_at"],
        workflow=_workflow(row),
        clock=Clock(
            row["clock_counted"],
            row["clock_running_since"],
            row["acknowledged_after"],
            row["resolved_after"],
        ),
    )


def _workflow(row: asyncpg.Record) -> Workflow:
    suppression = Suppression(
        row["suppressed_until"], _integer(row["suppressed_beyond"]), row["suppressed_occurrences"]
    )
    return Workflow(
        status=row["status"],
        assignee=row["assignee"],
        suppression=suppression if row["status"] == "suppressed" else None,
        proposal=None
        if row["proposed_resolution"] is None
        else Proposal(row["proposed_resolution"], row["proposed_by"], _integer(row["proposed_up_to"])),
        resolution=None
        if row["resolution"] is None
        else Resolution(
            row["resolution"],
            row["resolved_by"] or "",
            row["resolved_at"],
            is_machine=row["resolved_by_machine"] is not False,
            up_to=_integer(row["resolved_up_to"]),
        ),
        baseline=None
        if row["baseline_severity"] is None
        else Baseline(row["baseline_severity"], _integer(row["baseline_size"]), row["baseline_occurrences"]),
    )


def _numeric(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _integer(value: Decimal | None) -> int | None:
    return None if value is None else int(value)
