"""The transition function of exceptions: single, bulk and automatic steps (REC-8, REC-9).

`step(state, command, at=…)` returns the new state and the steps to record. It raises StepRefusedError if a
person's command does not fit the state. What runs and reports send is never refused.

```
          acknowledge            resolve
   open ──────────────▶ acknowledged ──────▶ resolved
    ▲ ▲     suppress        │   │  ▲             │
    │ └──────────── suppressed◀─┘  └─ resolve ───┤  (from any status but resolved)
    └───────── reopen, escalation, regression ◀──┘
```
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.domain import observed_steps, person_steps
from reconciler.domain.commands import (
    Acknowledge,
    Assign,
    Command,
    Comment,
    Gone,
    Reopen,
    Resolve,
    Revert,
    Seen,
    Suppress,
    Wake,
)
from reconciler.domain.decisions import Decision, Step, StepKind
from reconciler.domain.exceptions import Clock, ExceptionState


def open_exception(exception_id: str, seen: Seen, *, at: datetime) -> Decision:
    """Return the exception of a finding that the queue does not know."""
    finding = seen.finding
    waits = finding.waiting is not None
    state = ExceptionState(
        id=exception_id,
        type=finding.type,
        booking_id=finding.booking_id,
        fingerprint=finding.fingerprint,
        severity=finding.severity,
        difference=finding.difference,
        currency=finding.currency,
        size=finding.size,
        evidence=seen.evidence,
        waiting=finding.waiting,
        opened_at=None if waits else at,
        clock=Clock(running_since=None if waits else at),
    )
    details = {"waiting": finding.waiting} if waits else None
    return Decision(state, (Step("waits" if waits else "opened", seen.by, seen.reason, details=details),))


def step(state: ExceptionState, command: Command, *, at: datetime) -> Decision:
    """Return what a command does to an exception at a time.

    Raises:
        StepRefusedError: the state does not allow it.
    """
    decided = _RULES[type(command)](state, command, at)
    after = decided.state
    clock = _clock(state, after, at, kinds={each.kind for each in decided.steps})
    return Decision(replace(after, clock=clock, version=state.version + len(decided.steps)), decided.steps)


def _clock(before: ExceptionState, after: ExceptionState, at: datetime, *, kinds: set[StepKind]) -> Clock:
    """Return the clock after a step: it runs while a person has to act (REC-9c)."""
    runs = after.status in ("open", "acknowledged") and after.waiting is None
    if before.status == "resolved" and after.status != "resolved":
        # A new round of work. A reverted resolution goes on where it stopped.
        counted = before.clock.counted if "reverted" in kinds else timedelta()
        acknowledged_after = before.clock.acknowledged_after if "reverted" in kinds else None
        return Clock(counted, at if runs else None, acknowledged_after)
    counted = before.clock.read(at)
    acknowledged_after = before.clock.acknowledged_after
    if acknowledged_after is None and after.status in ("acknowledged", "resolved"):
        acknowledged_after = counted
    resolved_after = counted if after.status == "resolved" else None
    if after.status == before.status == "resolved":
        return before.clock
    return Clock(counted, at if runs else None, acknowledged_after, resolved_after)


_RULES: Mapping[type[Command], Callable[[ExceptionState, Any, datetime], Decision]] = {
    Acknowledge: person_steps.acknowledge,
    Assign: person_steps.assign,
    Resolve: person_steps.resolve,
    Reopen: person_steps.reopen,
    Suppress: person_steps.suppress,
    Comment: person_steps.comment,
    Revert: person_steps.revert,
    Seen: observed_steps.see,
    Gone: observed_steps.resolve_gone,
    Wake: observed_steps.wake,
}
