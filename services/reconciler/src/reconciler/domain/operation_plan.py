"""The plan of a bulk operation: what a dry run tells (REC-9b)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.operation_steps import Attempt, attempt
from reconciler.domain.operations import Outcome, Selected
from reconciler.domain.step_requests import StepContext, StepRequest

SAMPLE_MAX = 10
# Of these at most so many are refused ones: a person wants to see both.
SAMPLE_REFUSED_MAX = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A selected exception.

    Attributes:
        state: None if the stored row cannot be read; `problem` says why.
        amount: signed, in minor units of the state's currency.
    """

    id: str
    state: ExceptionState | None
    title: str = ""
    amount: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A selected exception, and what the operation would do to it."""

    candidate: Candidate
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Plan:
    """What a selection amounts to, and what would become of it.

    Attributes:
        outcomes: `stepped`, `unchanged` and `refused` by number; they add up to `selected.count`.
        sample: some of the exceptions, in the order of the list, refused ones first.
    """

    selected: Selected
    outcomes: Mapping[Outcome, int]
    sample: Sequence[Forecast]


def make_plan(candidates: Sequence[Candidate], request: StepRequest, *, at: datetime) -> Plan:
    """Return what a request would do to these exceptions now."""
    forecasts = [Forecast(each, _try(each, request, at)) for each in candidates]
    outcomes: Counter[Outcome] = Counter(each.attempt.outcome for each in forecasts)
    return Plan(_amount_to(candidates), outcomes, _sample(forecasts))


def _try(candidate: Candidate, request: StepRequest, at: datetime) -> Attempt:
    if candidate.state is None:
        return Attempt("refused", f"the stored row cannot be read: {candidate.problem}")
    # Evidence and last step do not decide about the steps that can be planned.
    return attempt(StepContext(candidate.state, 0, None), request, at=at)


def _amount_to(candidates: Sequence[Candidate]) -> Selected:
    sums: Counter[str] = Counter()
    without_amount = 0
    for each in candidates:
        currency = None if each.state is None else each.state.currency
        if each.amount is None or currency is None:
            without_amount += 1
        else:
            sums[currency] += each.amount
    return Selected(len(candidates), dict(sums), without_amount)


def _sample(forecasts: Sequence[Forecast]) -> list[Forecast]:
    refused = [each for each in forecasts if each.attempt.outcome == "refused"]
    others = [each for each in forecasts if each.attempt.outcome != "refused"]
    shown = refused[: max(SAMPLE_REFUSED_MAX, SAMPLE_MAX - len(others))]
    return [*shown, *others[: SAMPLE_MAX - len(shown)]]
