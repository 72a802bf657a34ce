"""Bulk operations: who may start and take back what, arguments, the plan (REC-9b)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.money import Money
from reconciler.adapters.operation_rows import arguments_json, read_arguments, read_selection, selection_json
from reconciler.domain.decisions import LastStep, StepRefusedError
from reconciler.domain.exceptions import ExceptionState, Workflow
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.operation_plan import Candidate, make_plan
from reconciler.domain.operation_steps import ArgumentError, attempt, check_step, step_request, taking_back
from reconciler.domain.operations import (
    ITEMS_MAX,
    OPERATION_STATUSES,
    Action,
    OperationRefusedError,
    OperationState,
    OperationStatus,
    PlannedStep,
    Selection,
    StepArguments,
    Token,
    require_count,
    starts,
    starts_to_revert,
)
from reconciler.domain.step_requests import StepContext

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
TOKEN = Token(b"right", NOW + timedelta(minutes=15))


def operation(status: OperationStatus = "planned", token: Token | None = TOKEN) -> OperationState:
    return OperationState("o-1", status, "ana", token)


def state(number: int = 1, **values: Any) -> ExceptionState:
    values = {"currency": "USD", "size": 500, **values}
    return ExceptionState(
        id=f"e-{number:04}", type="pricing_drift", booking_id="b", fingerprint="f", severity="high",
        difference="d", **values,
    )  # fmt: skip


def planned(action: Action, text: str = "because", **arguments: Any) -> PlannedStep:
    return PlannedStep(action, StepArguments(**arguments), text, "ana")


@pytest.mark.parametrize("status", OPERATION_STATUSES)
def test_only_a_plan_is_started_and_the_same_request_again_is_no_error(status: OperationStatus) -> None:
    started = starts(operation(status), by="ana", token_sha256=b"right", at=NOW)
    assert started is (status == "planned")


@pytest.mark.parametrize(
    ("by", "digest", "token", "at", "kind"),
    [
        ("kim", b"right", TOKEN, NOW, "selection-token-invalid"),
        ("ana", b"wrong", TOKEN, NOW, "selection-token-invalid"),
        ("ana", b"right", None, NOW, "selection-token-invalid"),
        ("ana", b"right", TOKEN, TOKEN.expires_at, "selection-token-expired"),
    ],
)
def test_token_is_of_operation_and_caller_and_young(
    by: str, digest: bytes, token: Token | None, at: datetime, kind: str
) -> None:
    with pytest.raises(OperationRefusedError) as refused:
        starts(operation(token=token), by=by, token_sha256=digest, at=at)
    assert refused.value.kind == kind


def test_count_is_the_expected_one_and_not_too_large() -> None:
    require_count(ITEMS_MAX, ITEMS_MAX)
    with pytest.raises(OperationRefusedError, match="3 expected, 2 selected now") as changed:
        require_count(2, 3)
    assert (changed.value.kind, changed.value.count) == ("count-changed", 2)
    with pytest.raises(OperationRefusedError, match="narrow the filter") as large:
        require_count(ITEMS_MAX + 1, ITEMS_MAX + 1)
    assert large.value.kind == "selection-too-large"


@pytest.mark.parametrize("status", OPERATION_STATUSES[1:])
def test_what_was_started_can_be_taken_back_once(status: OperationStatus) -> None:
    assert starts_to_revert(operation(status)) is (status not in {"reverting", "reverted"})


def test_what_was_never_applied_cannot_be_taken_back() -> None:
    with pytest.raises(OperationRefusedError, match="never applied"):
        starts_to_revert(operation("planned"))


@pytest.mark.parametrize(
    ("step", "member"),
    [
        (planned("acknowledge", assignee="kim"), "arguments.assignee"),
        (planned("assign"), "arguments.assignee"),
        (planned("resolve"), "arguments.resolution"),
        (planned("resolve", text="", resolution="fixed"), "reason"),
        (planned("resolve", resolution="fixed", occurrences=1), "arguments.occurrences"),
        (planned("reopen", text=""), "reason"),
        (planned("suppress"), "arguments"),
        (planned("suppress", until=NOW), "arguments.until"),
        (planned("comment", text=""), "arguments.text"),
    ],
)
def test_wrong_argument_is_named_before_any_exception_is_looked_at(step: PlannedStep, member: str) -> None:
    with pytest.raises(ArgumentError) as wrong:
        check_step(step, at=NOW)
    assert wrong.value.member == member


def test_plan_counts_adds_up_and_shows_refused_ones_first() -> None:
    resolved = Workflow(status="suppressed")
    candidates = [
        *(Candidate(f"e-{n:04}", state(n), "t", -500) for n in range(20)),
        *(Candidate(f"e-{n:04}", state(n, workflow=resolved), "t", 300) for n in range(20, 28)),
        Candidate("e-0028", state(28, currency=None), "t", 1),
        Candidate("e-0029", None, problem="no such time"),
    ]
    plan = make_plan(candidates, step_request(planned("acknowledge", ""), second_person_above=None), at=NOW)
    assert plan.outcomes == {"stepped": 21, "refused": 9}
    assert plan.selected.sums == {"USD": -500 * 20 + 300 * 8}
    assert (plan.selected.count, plan.selected.without_amount) == (30, 2)
    assert [each.attempt.outcome for each in plan.sample] == ["refused"] * 5 + ["stepped"] * 5
    assert [each.candidate.id for each in plan.sample[:6]] == [
        "e-0020", "e-0021", "e-0022", "e-0023", "e-0024", "e-0000",
    ]  # fmt: skip


def test_amount_of_another_currency_and_second_person_decide_for_each_exception() -> None:
    request = step_request(
        planned("resolve", resolution="accepted", up_to=Money(600, "EUR")), second_person_above=400
    )
    dollars = attempt(StepContext(state(), 1, None), request, at=NOW)
    assert (dollars.outcome, dollars.detail) == ("refused", "up_to: the exception is in USD, not in EUR")
    euros = attempt(StepContext(state(currency="EUR"), 1, None), request, at=NOW)
    assert (euros.outcome, euros.detail) == ("stepped", "proposed")


@pytest.mark.parametrize(
    ("action", "last", "message"),
    [
        ("resolve", LastStep("reopened", "bo", 3, None, Workflow()), "`reopened` by bo is the last step now"),
        ("resolve", LastStep("resolved", "ana", 2, "o-2", Workflow()), "`resolved` by ana"),
        ("resolve", LastStep("reverted", "bo", 3, "o-1", Workflow()), "none that can be taken back"),
        ("resolve", None, "none that can be taken back"),
        ("comment", LastStep("opened", "reconciler", 1, None, None), "a comment changes nothing"),
    ],
)
def test_only_the_operation_s_own_last_step_is_taken_back(
    action: Action, last: LastStep | None, message: str
) -> None:
    request = taking_back(action, "kim", "wrong", operation_id="o-1")
    with pytest.raises(StepRefusedError, match=message):
        request(StepContext(state(), 9, last))
    own = LastStep("resolved", "ana", 2, "o-1", Workflow())
    assert taking_back("resolve", "kim", "wrong", operation_id="o-1")(StepContext(state(), 9, own))


def test_arguments_and_selection_are_stored_whole() -> None:
    arguments = StepArguments("kim", "accepted", Money(5, "USD"), NOW, 7, 3)
    assert read_arguments(arguments_json(arguments)) == arguments
    for selection in (
        Selection(ids=("a", "b")),
        Selection(query=ExceptionFilter(status="open", first_seen_from=NOW, q="x")),
        Selection(query=ExceptionFilter()),
    ):
        assert read_selection(selection_json(selection)) == selection
    for damaged in ("[]", '{"up": 1}', '{"until": "never"}'):
        with pytest.raises(ValueError):  # noqa: PT011 - any of its kinds
            read_arguments(damaged)
