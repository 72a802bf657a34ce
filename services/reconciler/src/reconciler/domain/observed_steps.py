"""Steps that follow from what runs and reports see, and from time (REC-8). They are never refused."""

from dataclasses import replace
from datetime import datetime

from contracts.money import Money
from reconciler.domain.classify import SEVERITIES
from reconciler.domain.commands import Gone, Seen, Wake
from reconciler.domain.decisions import Decision, Step, StepKind, stepped
from reconciler.domain.exceptions import Baseline, ExceptionState, Resolution, Suppression, Workflow

OCCURRENCES_UNTIL_ESCALATION = 7
"""An acknowledged exception that is seen so many times more has been left lying: it escalates."""

_TIME_IS_UP = "the time of its suppression is up"


def see(state: ExceptionState, command: Seen, at: datetime) -> Decision:
    """Take over what a read has seen, unless newer evidence is known.

    A resolution carries evidence of its own. A finding that was read before the resolution is therefore older
    than it, and cannot bring the exception back.
    """
    if command.evidence <= state.evidence:
        return Decision(state)
    finding = command.finding
    is_revised = finding.difference != state.difference
    seen = replace(
        state,
        severity=finding.severity,
        difference=finding.difference,
        currency=finding.currency,
        size=finding.size,
        occurrences=state.occurrences + 1,
        revision=state.revision + is_revised,
        evidence=command.evidence,
        waiting=finding.waiting,
    )
    steps = [Step("revised", command.by, command.reason)] if is_revised else []
    if seen.waiting is not None:
        if state.waiting is None and state.status != "resolved":
            steps.append(Step("waits", command.by, command.reason, details={"waiting": seen.waiting}))
        # A resolved exception stays resolved while it may pass by itself.
        kept = state.waiting if state.status == "resolved" else seen.waiting
        return Decision(replace(seen, waiting=kept), tuple(steps))
    woken, step_ = _wakes(state, seen, command, at)
    if step_ is not None:
        steps.append(step_)
    elif state.waiting is not None and state.status != "resolved":
        steps.append(Step("opened", command.by, command.reason))
    if woken.opened_at is None and woken.status != "resolved":
        woken = replace(woken, opened_at=at)
    return Decision(woken, tuple(steps))


def _wakes(
    before: ExceptionState, seen: ExceptionState, command: Seen, at: datetime
) -> tuple[ExceptionState, Step | None]:
    """Return the state after waking, and the step; the same state and None if nothing wakes it."""
    workflow = before.workflow
    if workflow.status == "resolved":
        if _still_holds(seen):
            return seen, None
        after = replace(seen, workflow=Workflow(assignee=workflow.assignee), regressions=seen.regressions + 1)
        return after, Step("regressed", command.by, command.reason)
    reason = _growth(seen, at)
    if reason is None:
        return seen, None
    kind: StepKind = "woke" if reason == _TIME_IS_UP else "escalated"
    escalated_at = seen.escalated_at if kind == "woke" else at
    after = replace(seen, workflow=Workflow(assignee=workflow.assignee), escalated_at=escalated_at)
    return after, Step(kind, command.by, reason)


def _still_holds(seen: ExceptionState) -> bool:
    resolution = seen.workflow.resolution
    if resolution is None or resolution.code in ("fixed", "not_evaluated"):
        return False
    # Without a known size the person judged the problem itself.
    return resolution.up_to is None or (seen.size is not None and seen.size <= resolution.up_to)


def _growth(seen: ExceptionState, at: datetime) -> str | None:
    """Return why an acknowledged or suppressed exception wakes; None if it does not."""
    suppression = seen.workflow.suppression
    if suppression is not None:
        if ended := _suppression_ended(suppression, seen, at):
            return ended
        if suppression.beyond is not None:
            return None  # the person named the growth that counts
    baseline = seen.workflow.baseline
    return None if baseline is None else _grown(baseline, seen)


def _suppression_ended(suppression: Suppression, seen: ExceptionState, at: datetime) -> str | None:
    if suppression.until is not None and at >= suppression.until:
        return _TIME_IS_UP
    if suppression.occurrences is not None and seen.occurrences >= suppression.occurrences:
        return f"seen {seen.occurrences} times"
    if suppression.beyond is not None and (seen.size is None or seen.size > suppression.beyond):
        return f"the difference is beyond {_money(suppression.beyond, seen)}"
    return None


def _grown(baseline: Baseline, seen: ExceptionState) -> str | None:
    """Return in words what grew since a person acknowledged or suppressed; None if nothing did."""
    if SEVERITIES.index(seen.severity) < SEVERITIES.index(baseline.severity):
        return f"its severity rose from {baseline.severity} to {seen.severity}"
    if (seen.size or 0) > (baseline.size or 0):
        return f"its difference grew from {_money(baseline.size, seen)} to {_money(seen.size, seen)}"
    more = seen.occurrences - baseline.occurrences
    if seen.status == "acknowledged" and more >= OCCURRENCES_UNTIL_ESCALATION:
        return f"seen {more} times since it was acknowledged"
    return None


def _money(size: int | None, seen: ExceptionState) -> str:
    return str(Money(size or 0, seen.currency)) if seen.currency else str(size or 0)


def resolve_gone(state: ExceptionState, command: Gone, at: datetime) -> Decision:
    """Resolve an exception whose reason is gone, unless newer evidence saw it."""
    if command.evidence <= state.evidence:
        return Decision(state)
    if state.status == "resolved":
        return Decision(replace(state, evidence=command.evidence))
    resolution = Resolution(command.code, command.by, at, is_machine=True)
    after = Workflow(status="resolved", assignee=state.workflow.assignee, resolution=resolution)
    gone = Step("resolved", command.by, command.reason, details={"resolution": command.code})
    return stepped(replace(state, evidence=command.evidence, waiting=None), after, gone)


def wake(state: ExceptionState, command: Wake, at: datetime) -> Decision:
    suppression = state.workflow.suppression
    if state.status != "suppressed" or suppression is None:
        return Decision(state)
    if suppression.until is None or at < suppression.until:
        return Decision(state)
    after = Workflow(assignee=state.workflow.assignee)
    return stepped(state, after, Step("woke", command.by, _TIME_IS_UP))
