"""Requests of people for steps: each makes the command for one exception, alone or in bulk (REC-9)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from contracts.money import Money, minor_units
from reconciler.domain.commands import (
    Acknowledge,
    Assign,
    Comment,
    PersonsCommand,
    Reopen,
    Resolve,
    Revert,
    Suppress,
)
from reconciler.domain.decisions import LastStep, StepRefusedError
from reconciler.domain.exceptions import ExceptionState, PersonsResolution

# Far below 2^53, up to which every JSON reader keeps integers exactly (RFC 8259 §6).
AMOUNT_MINOR_UNITS_MAX = 10**12
OCCURRENCES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a request is made for.

    Attributes:
        evidence: a new number, taken under the exception's lock.
        last_step: other than a comment; None if no step is known.
    """

    state: ExceptionState
    evidence: int
    last_step: LastStep | None


StepRequest = Callable[[StepContext], PersonsCommand]
"""Returns the command for an exception, or raises StepRefusedError."""


def _in_minor_units(name: str, size: int | Money | None, currency: str | None) -> int | None:
    if not isinstance(size, Money):
        return size
    if size.currency != currency:
        message = f"{name}: the exception is in {currency or 'no currency'}, not in {size.currency}"
        raise StepRefusedError(message, kind="invalid-step")
    return size.amount


def acknowledging(by: str) -> StepRequest:
    return lambda _context: Acknowledge(by)


def assigning(by: str, assignee: str) -> StepRequest:
    return lambda _context: Assign(by, assignee)


def resolving(
    by: str,
    code: PersonsResolution,
    reason: str,
    *,
    up_to: int | Money | None,
    second_person_above: int | None,
) -> StepRequest:
    """Return the request to resolve.

    Args:
        by: the person.
        code: the resolution.
        reason: one line.
        up_to: size up to which the resolution holds, in minor units; None means the present size.
        second_person_above: hundredths of the currency's unit; a larger difference needs a second person.
            None: never.
    """

    def command(context: StepContext) -> Resolve:
        currency, alone_up_to = context.state.currency, None
        if second_person_above is not None:
            alone_up_to = minor_units(second_person_above, currency) if currency else 0
        size = _in_minor_units("up_to", up_to, currency)
        return Resolve(by, code, reason, context.evidence, up_to=size, alone_up_to=alone_up_to)

    return command


def reopening(by: str, reason: str) -> StepRequest:
    return lambda context: Reopen(by, reason, context.evidence)


def suppressing(
    by: str, reason: str, *, until: datetime | None, beyond: int | Money | None, occurrences: int | None
) -> StepRequest:
    def command(context: StepContext) -> Suppress:
        size = _in_minor_units("beyond", beyond, context.state.currency)
        return Suppress(by, reason, until, size, occurrences)

    return command


def commenting(by: str, text: str) -> StepRequest:
    return lambda _context: Comment(by, text)


def taking_back(by: str, reason: str) -> StepRequest:
    """Return the request to take back the last step, which must be a person's."""

    def command(context: StepContext) -> Revert:
        last = context.last_step
        if last is None or last.before is None or last.kind == "reverted":
            name = "" if last is None else f": it is `{last.kind}` by {last.by}"
            raise StepRefusedError(f"revert: the last step is none that can be taken back{name}")
        return Revert(by, reason, last.kind, last.before, context.evidence)

    return command
