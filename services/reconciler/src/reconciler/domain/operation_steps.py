"""Steps of bulk operations: each exception goes through the same requests and rules as alone (REC-9b)."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypeVar

from reconciler.domain import step_requests
from reconciler.domain.commands import PersonsCommand
from reconciler.domain.decisions import Decision, StepRefusedError
from reconciler.domain.operations import Action, Outcome, PlannedStep, StepArguments
from reconciler.domain.step_requests import StepContext, StepRequest
from reconciler.domain.steps import step

_TAKES: dict[Action, tuple[str, ...]] = {
    "acknowledge": (),
    "assign": ("assignee",),
    "resolve": ("resolution", "up_to"),
    "reopen": (),
    "suppress": ("until", "beyond", "occurrences"),
    "comment": (),
}
_NEEDS_REASON = ("resolve", "reopen", "suppress")

ValueT = TypeVar("ValueT")


class ArgumentError(ValueError):
    """An argument of the operation is missing, not one of its action, or has no sense.

    Attributes:
        member: path of the request's member.
        message: what is wrong with it.
    """

    def __init__(self, member: str, message: str) -> None:
        super().__init__(f"{member}: {message}")
        self.member = member
        self.message = message


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a step does, or would do, to one exception.

    Attributes:
        detail: kind of the step, or why it was refused.
        decision: None unless the exception takes a step.
    """

    outcome: Outcome
    detail: str
    decision: Decision | None = None


def check_step(planned: PlannedStep, *, at: datetime) -> None:
    """Check what can be known before any exception is looked at.

    Raises:
        ArgumentError: an argument is missing, superfluous or has no sense.
    """
    given = planned.arguments
    for name in _given(given):
        if name not in _TAKES[planned.action]:
            takes = ", ".join(_TAKES[planned.action]) or "none"
            raise ArgumentError(
                f"arguments.{name}", f"not an argument of {planned.action}, which takes {takes}"
            )
    if planned.action == "assign":
        _required("assignee", given.assignee)
    if planned.action == "resolve":
        _required("resolution", given.resolution)
    if planned.action == "suppress":
        if not list(_given(given)):
            raise ArgumentError("arguments", "say until when: until, beyond or occurrences")
        if given.until is not None and given.until <= at:
            raise ArgumentError("arguments.until", "lies in the past")
    if planned.action in _NEEDS_REASON and not planned.text:
        raise ArgumentError("reason", f"missing; {planned.action} needs one")
    if planned.action == "comment" and not planned.text:
        raise ArgumentError("arguments.text", "missing")


def _required(name: str, value: ValueT | None) -> ValueT:
    if value is None:
        raise ArgumentError(f"arguments.{name}", "missing")
    return value


def _given(arguments: StepArguments) -> Iterator[str]:
    return (each.name for each in fields(arguments) if getattr(arguments, each.name) is not None)


def step_request(planned: PlannedStep, *, second_person_above: int | None) -> StepRequest:
    """Return the request for each exception: the one that the single step makes."""
    by, text, given = planned.by, planned.text, planned.arguments
    match planned.action:
        case "acknowledge":
            return step_requests.acknowledging(by)
        case "assign":
            return step_requests.assigning(by, _required("assignee", given.assignee))
        case "resolve":
            return step_requests.resolving(
                by,
                _required("resolution", given.resolution),
                text,
                up_to=given.up_to,
                second_person_above=second_person_above,
            )
        case "reopen":
            return step_requests.reopening(by, text)
        case "suppress":
            return step_requests.suppressing(
                by, text, until=given.until, beyond=given.beyond, occurrences=given.occurrences
            )
        case "comment":
            return step_requests.commenting(by, text)


def taking_back(action: Action, by: str, reason: str, *, operation_id: str) -> StepRequest:
    """Return the request to take back an operation's step, unless another step followed it."""
    single = step_requests.taking_back(by, reason)

    def command(context: StepContext) -> PersonsCommand:
        last = context.last_step
        if action == "comment":
            raise StepRefusedError("revert: a comment changes nothing that could be taken back")
        if last is not None and last.operation_id != operation_id:
            raise StepRefusedError(f"revert: `{last.kind}` by {last.by} is the last step now")
        return single(context)

    return command


def attempt(context: StepContext, request: StepRequest, *, at: datetime) -> Attempt:
    """Return what a request does to an exception: `stepped`, `unchanged` or `refused`."""
    try:
        decision = step(context.state, request(context), at=at)
    except StepRefusedError as error:
        return Attempt("refused", str(error))
    if not decision.steps:
        return Attempt("unchanged", f"is {context.state.status} so already")
    return Attempt("stepped", ", ".join(each.kind for each in decision.steps), decision)


def as_reverted(tried: Attempt) -> Attempt:
    """Return the outcome of a reverting step."""
    outcome: Outcome = "reverted" if tried.outcome == "stepped" else "not_reverted"
    return Attempt(outcome, tried.detail, tried.decision)
