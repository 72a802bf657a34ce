"""Decisions about exceptions: the new state, and the steps that the history records (REC-9)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from reconciler.domain.exceptions import ExceptionState, Workflow

StepKind = Literal[
    "waits",
    "opened",
    "revised",
    "escalated",
    "regressed",
    "woke",
    "acknowledged",
    "assigned",
    "suppressed",
    "proposed",
    "resolved",
    "reopened",
    "commented",
    "reverted",
]


class StepRefusedError(ValueError):
    """The exception's state does not allow the step; the message says why and what to do.

    `kind` is the problem's type: `illegal-step`, `second-person-required` or `invalid-step`.
    """

    def __init__(self, message: str, *, kind: str = "illegal-step") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of an exception's history.

    Attributes:
        by: a person, or a service's name.
        reason: one line; a comment's text.
        is_typed: a person typed the reason.
        details: what the step sets, as JSON.
    """

    kind: StepKind
    by: str
    reason: str
    is_typed: bool = False
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The state after a command, and the steps to record, in order; no steps if nothing happened."""

    state: ExceptionState
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class LastStep:
    """The last step of an exception other than a comment; `before` is None if no person took it."""

    kind: str
    by: str
    version: int
    operation_id: str | None
    before: Workflow | None


def stepped(state: ExceptionState, workflow: Workflow, entry: Step) -> Decision:
    """Return the decision to give the exception this workflow, by one step."""
    return Decision(replace(state, workflow=workflow), (entry,))


def as_of(state: ExceptionState, evidence: int) -> ExceptionState:
    """Return the state with a person's judgement as its newest evidence: older reads no longer change it."""
    return replace(state, evidence=max(state.evidence, evidence))
