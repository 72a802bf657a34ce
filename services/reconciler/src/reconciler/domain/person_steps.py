"""Steps that people take (REC-9): each rule returns a decision or raises StepRefusedError."""

from dataclasses import replace
from datetime import datetime

from reconciler.domain.commands import Acknowledge, Assign, Comment, Reopen, Resolve, Revert, Suppress
from reconciler.domain.decisions import Decision, Step, StepRefusedError, as_of, stepped
from reconciler.domain.exceptions import (
    Baseline,
    ExceptionState,
    Proposal,
    Resolution,
    Suppression,
    Workflow,
)


def acknowledge(state: ExceptionState, command: Acknowledge, _at: datetime) -> Decision:
    workflow = state.workflow
    if workflow.status == "acknowledged" and workflow.assignee == command.by:
        return Decision(state)
    if workflow.status != "open":
        raise StepRefusedError(f"acknowledge: {_present(state)}; {_ADVICE[workflow.status]}")
    after = replace(
        workflow,
        status="acknowledged",
        assignee=command.by,
        baseline=_baseline(state),
    )
    return stepped(state, after, Step("acknowledged", command.by, "", details={"assignee": command.by}))


def assign(state: ExceptionState, command: Assign, _at: datetime) -> Decision:
    _refuse_resolved(state, "assign")
    if state.workflow.assignee == command.assignee:
        return Decision(state)
    after = replace(state.workflow, assignee=command.assignee)
    return stepped(state, after, Step("assigned", command.by, "", details={"assignee": command.assignee}))


def resolve(state: ExceptionState, command: Resolve, at: datetime) -> Decision:
    _refuse_resolved(state, "resolve")
    up_to = _holds_up_to(state, command)
    details = {"resolution": command.code, **({} if up_to is None else {"up_to": up_to})}
    if _needs_second_person(state, command, up_to):
        earlier, proposal = state.workflow.proposal, Proposal(command.code, command.by, up_to)
        if earlier == proposal:
            raise StepRefusedError(
                f"resolve: {command.by} has proposed {command.code}; another person has to resolve it so too",
                kind="second-person-required",
            )
        after = replace(state.workflow, proposal=proposal)
        proposed = Step("proposed", command.by, command.reason, is_typed=True, details=details)
        return stepped(state, after, proposed)
    resolution = Resolution(command.code, command.by, at, is_machine=False, up_to=up_to)
    after = replace(state.workflow, status="resolved", resolution=resolution, suppression=None, proposal=None)
    resolved = Step("resolved", command.by, command.reason, is_typed=True, details=details)
    return stepped(as_of(state, command.evidence), after, resolved)


def _needs_second_person(state: ExceptionState, command: Resolve, up_to: int | None) -> bool:
    """Return True if this person's resolution waits for another person (four eyes).

    An unknown size is above every limit. The second person confirms by the same resolution up to the
    same size; another one is a new proposal.
    """
    limit = command.alone_up_to
    if limit is None or (state.size is not None and state.size <= limit):
        return False
    proposal = state.workflow.proposal
    return (
        proposal is None
        or proposal.by == command.by
        or (proposal.code, proposal.up_to) != (command.code, up_to)
    )


def _holds_up_to(state: ExceptionState, command: Resolve) -> int | None:
    """Return the size up to which the resolution holds. Only `fixed` claims that the problem is gone."""
    if command.code == "fixed":
        return None
    if command.up_to is None:
        return state.size
    if state.size is not None and command.up_to < state.size:
        raise StepRefusedError(
            f"resolve: the difference is {state.size} minor units: up to {command.up_to},"
            f" the next run would open it again; give up_to {state.size} or more, or none",
            kind="invalid-step",
        )
    return command.up_to


def reopen(state: ExceptionState, command: Reopen, _at: datetime) -> Decision:
    if state.status == "open":
        raise StepRefusedError("reopen: the exception is open")
    after = Workflow(assignee=state.workflow.assignee)
    renewed = as_of(state, command.evidence)
    return stepped(renewed, after, Step("reopened", command.by, command.reason, is_typed=True))


def suppress(state: ExceptionState, command: Suppress, at: datetime) -> Decision:
    _refuse_resolved(state, "suppress")
    if command.until is None and command.beyond is None and command.occurrences is None:
        raise StepRefusedError("suppress: say until when: until, beyond or occurrences", kind="invalid-step")
    if command.until is not None and command.until <= at:
        raise StepRefusedError("suppress: until lies in the past", kind="invalid-step")
    more = command.occurrences
    occurrences = None if more is None else state.occurrences + more
    suppression = Suppression(command.until, command.beyond, occurrences)
    after = replace(
        state.workflow,
        status="suppressed",
        suppression=suppression,
        proposal=None,
        baseline=_baseline(state),
    )
    details = {
        "until": None if command.until is None else command.until.isoformat(),
        "beyond": command.beyond,
        "occurrences": more,
    }
    suppressed = Step("suppressed", command.by, command.reason, is_typed=True, details=details)
    return stepped(state, after, suppressed)


def comment(state: ExceptionState, command: Comment, _at: datetime) -> Decision:
    return Decision(state, (Step("commented", command.by, command.text, is_typed=True),))


def revert(state: ExceptionState, command: Revert, _at: datetime) -> Decision:
    """Restore the workflow before a person's last step. What was seen since stays."""
    details = {"reverts": command.kind}
    reverted = Step("reverted", command.by, command.reason, is_typed=True, details=details)
    return stepped(as_of(state, command.evidence), command.before, reverted)


def _baseline(state: ExceptionState) -> Baseline:
    return Baseline(state.severity, state.size, state.occurrences)


def _refuse_resolved(state: ExceptionState, name: str) -> None:
    if state.status == "resolved":
        raise StepRefusedError(f"{name}: {_present(state)}; reopen it first")


_ADVICE = {
    "acknowledged": "assign it to take it over",
    "suppressed": "reopen it first",
    "resolved": "reopen it first",
}


def _present(state: ExceptionState) -> str:
    """Return in words what state an exception has, and by whom."""
    workflow = state.workflow
    if workflow.resolution is not None:
        resolution = workflow.resolution
        return f"{resolution.by} resolved it as {resolution.code} at {resolution.at:%Y-%m-%dT%H:%M:%SZ}"
    by = f" by {workflow.assignee}" if workflow.status == "acknowledged" else ""
    return f"the exception is {workflow.status}{by}"
