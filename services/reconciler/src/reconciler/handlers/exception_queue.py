"""The exception queue as runs and reports fill and empty it, in the caller's transaction (REC-8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis import clock
from chassis.messaging import outbox
from chassis.postgres import Connection
from contracts.metadata import MessageMetadata
from reconciler.adapters import exceptions
from reconciler.domain.commands import Gone, Seen, Wake
from reconciler.domain.exceptions import ExceptionState, ResolutionCode
from reconciler.domain.findings import RUN_TYPES, Finding, RunType
from reconciler.domain.steps import open_exception, step
from reconciler.handlers import outgoing_events
from reconciler.handlers.exception_steps import Change, write
from reconciler.settings import SERVICE

FOUND_BY_RUN = "found by a reconciliation run"
WAKE_ROWS_MAX = 500


@dataclass(frozen=True, slots=True)
class Passing:
    """Why a problem is gone: `code` for machines, `reason` for people."""

    code: ResolutionCode
    reason: str


NOT_FOUND = Passing("fixed", "not found any more by a reconciliation run")
CANCELLED = Passing("not_evaluated", "no longer evaluated: the booking is cancelled")


async def queue_findings(
    connection: Connection,
    findings: Sequence[Finding],
    *,
    evaluated: Sequence[str],
    cancelled: Sequence[str],
    between: tuple[str | None, str],
    run_id: str,
    evidence: int,
    now: datetime,
) -> None:
    """Open, revise or count the exceptions of a page's findings, and resolve those not found again (REC-8).

    Args:
        connection: in the page's transaction.
        findings: of the page's bookings.
        evaluated: bookings of the page that were evaluated.
        cancelled: cancelled bookings of the page: only their money was evaluated.
        between: the last booking before the page, and the page's last.
        run_id: the run.
        evidence: number taken before the page was read.
        now: time of the findings.
    """
    changes = await _see(
        connection, findings, evidence=evidence, by=SERVICE, reason=FOUND_BY_RUN, run_id=run_id, now=now
    )
    # A drift is published when it is new or has changed, not every night.
    drifts = [change.finding.drift for change in changes if _is_news(change) and change.finding]
    await outbox.append(
        connection, [outgoing_events.drift_detected(run_id, drift, now=now) for drift in drifts if drift]
    )
    await write(connection, changes, at=now, run_id=run_id)
    # Few bookings of a page have an exception: all ids of a page would cost more than the rest of its commit.
    older = await exceptions.bookings_of_older(connection, evidence, between=between)
    for evaluated_ids, passing in ((evaluated, NOT_FOUND), (cancelled, CANCELLED)):
        booking_ids = [booking_id for booking_id in evaluated_ids if booking_id in older] if older else []
        await resolve_unseen(connection, booking_ids, passing, run_id=run_id, evidence=evidence, now=now)


async def resolve_unseen(
    connection: Connection,
    booking_ids: Sequence[str],
    passing: Passing,
    *,
    run_id: str,
    evidence: int,
    now: datetime,
    types: Sequence[RunType] = RUN_TYPES,
) -> None:
    """Resolve the exceptions of these bookings and types that only older evidence has seen."""
    if not booking_ids:
        return
    states = await exceptions.lock_older(connection, booking_ids, evidence, types=types)
    await write(connection, _gone(states, passing, evidence, by=SERVICE, at=now), at=now, run_id=run_id)


async def queue_reported(
    connection: Connection, finding: Finding, *, cause: MessageMetadata, now: datetime
) -> None:
    """Open, revise or count the exception that another service reported; no run resolves it."""
    changes = await _see(
        connection,
        [finding],
        evidence=await exceptions.next_evidence(connection),
        by=cause.source,
        reason=f"reported by {cause.type}",
        run_id=None,
        now=now,
    )
    await write(connection, changes, at=now, cause=cause)


async def resolve_reported(
    connection: Connection, fingerprint: str, explanation: str, *, cause: MessageMetadata, now: datetime
) -> None:
    """Resolve the exception whose reason is gone, as its service reports."""
    evidence = await exceptions.next_evidence(connection)
    states = (await exceptions.lock_seen(connection, [fingerprint])).values()
    passing = Passing("fixed", explanation)
    changes = _gone(list(states), passing, evidence, by=cause.source, at=now)
    await write(connection, changes, at=now, cause=cause)


async def queue_observed(
    connection: Connection, findings: Sequence[Finding], *, reason: str, evidence: int, now: datetime
) -> None:
    """Open, revise or count the exceptions of findings that this service made outside of runs."""
    changes = await _see(
        connection, findings, evidence=evidence, by=SERVICE, reason=reason, run_id=None, now=now
    )
    await write(connection, changes, at=now)


async def resolve_observed(
    connection: Connection,
    fingerprints: Sequence[str],
    passing: Passing,
    *,
    evidence: int,
    now: datetime,
) -> None:
    """Resolve the exceptions of these fingerprints, unless newer evidence saw them."""
    states = (await exceptions.lock_seen(connection, fingerprints)).values()
    await write(connection, _gone(list(states), passing, evidence, by=SERVICE, at=now), at=now)


async def wake_sleepers(connection: Connection, *, now: datetime) -> int:
    """Open suppressed exceptions whose time is up; return how many."""
    states = await exceptions.lock_sleeping(connection, at=now, rows_max=WAKE_ROWS_MAX)
    changes = [Change(state, step(state, Wake(SERVICE), at=now)) for state in states]
    await write(connection, changes, at=now)
    return len(changes)


async def _see(
    connection: Connection,
    findings: Sequence[Finding],
    *,
    evidence: int,
    by: str,
    reason: str,
    run_id: str | None,
    now: datetime,
) -> list[Change]:
    """Insert new exceptions and decide about known ones; fingerprints must be distinct."""
    if not findings:
        return []
    changes: list[Change] = []
    waiting = list(findings)
    # Another session may insert the same exception between the look and the insert: look again then.
    while waiting:
        known = await exceptions.lock_seen(connection, [finding.fingerprint for finding in waiting])
        fresh: list[Change] = []
        for finding in waiting:
            seen = Seen(finding, evidence, by, reason)
            state = known.get(finding.fingerprint)
            if state is not None:
                changes.append(Change(state, step(state, seen, at=now), finding))
            else:
                fresh.append(Change(None, open_exception(clock.new_id(), seen, at=now), finding))
        rows = [(change.decision.state, change.finding) for change in fresh if change.finding]
        inserted: set[str] = set()
        if rows:
            inserted = await exceptions.insert(connection, rows, evidence=evidence, at=now, run_id=run_id)
        changes += [change for change in fresh if change.decision.state.id in inserted]
        waiting = [
            change.finding for change in fresh if change.finding and change.decision.state.id not in inserted
        ]
    return changes


def _gone(
    states: Sequence[ExceptionState], passing: Passing, evidence: int, *, by: str, at: datetime
) -> list[Change]:
    command = Gone(passing.code, passing.reason, evidence, by)
    return [Change(state, step(state, command, at=at)) for state in states]


def _is_news(change: Change) -> bool:
    """Return True if a person would see something else than before."""
    if change.before is None:
        return True
    return any(each.kind in ("revised", "regressed") for each in change.decision.steps)
