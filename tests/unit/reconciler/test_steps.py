"""The transition function of exceptions: people's steps, sightings, clocks (REC-8, REC-9, REC-9c)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

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
from reconciler.domain.decisions import StepRefusedError
from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.findings import Finding
from reconciler.domain.observed_steps import OCCURRENCES_UNTIL_ESCALATION
from reconciler.domain.steps import open_exception, step

T0 = datetime(2026, 11, 30, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def finding(amount: int | None = 500, **values: Any) -> Finding:
    return Finding(
        type="pricing_drift",
        booking_id="b-1",
        drift_class="engine_drift",
        severity=values.pop("severity", "medium"),
        title="t",
        fingerprint="f",
        explanation={"amount": amount},
        currency="USD",
        amount=amount,
        **values,
    )


def seen(evidence: int, amount: int | None = 500, **values: Any) -> Seen:
    return Seen(finding(amount, **values), evidence, "reconciler", "found")


def gone(evidence: int) -> Gone:
    return Gone("fixed", "not found", evidence, "reconciler")


def resolve(code: Any = "fixed", evidence: int = 5, by: str = "ana", **values: Any) -> Resolve:
    return Resolve(by, code, "because", evidence, **values)


def opened(**values: Any) -> ExceptionState:
    return open_exception("e-1", seen(1, **values), at=T0).state


def after(state: ExceptionState, *commands: Command, at: datetime = T0) -> ExceptionState:
    for command in commands:
        state = step(state, command, at=at).state
    return state


def kinds(state: ExceptionState, command: Command, *, at: datetime = T0) -> list[str]:
    return [each.kind for each in step(state, command, at=at).steps]


SUPPRESS = Suppress("ana", "later", until=T0 + HOUR)
STATES = {
    "open": opened(),
    "acknowledged": after(opened(), Acknowledge("ana")),
    "suppressed": after(opened(), SUPPRESS),
    "resolved": after(opened(), resolve()),
}
# Command: the status that follows from open, acknowledged, suppressed, resolved; None: refused.
TABLE: dict[str, tuple[Command, tuple[str | None, ...]]] = {
    "acknowledge": (Acknowledge("bo"), ("acknowledged", None, None, None)),
    "assign": (Assign("bo", "cy"), ("open", "acknowledged", "suppressed", None)),
    "resolve": (resolve(by="bo"), ("resolved", "resolved", "resolved", None)),
    "reopen": (Reopen("bo", "no", 6), (None, "open", "open", "open")),
    "suppress": (replace(SUPPRESS, by="bo"), ("suppressed", "suppressed", "suppressed", None)),
    "comment": (Comment("bo", "hm"), ("open", "acknowledged", "suppressed", "resolved")),
    "gone": (gone(9), ("resolved", "resolved", "resolved", "resolved")),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_command_has_one_result_in_each_status(name: str) -> None:
    command, results = TABLE[name]
    for status, result in zip(STATES, results, strict=True):
        if result is None:
            with pytest.raises(StepRefusedError):
                step(STATES[status], command, at=T0)
        else:
            assert step(STATES[status], command, at=T0).state.status == result, status


def test_refusal_names_who_acted_and_what_to_do() -> None:
    with pytest.raises(StepRefusedError, match=r"acknowledged by ana; assign it to take it over"):
        step(STATES["acknowledged"], Acknowledge("bo"), at=T0)
    with pytest.raises(StepRefusedError, match=r"ana resolved it as fixed at 2026-11-30T08:00:00Z; reopen"):
        step(STATES["resolved"], resolve(by="bo"), at=T0)


def test_step_taken_twice_by_the_same_person_is_one_step() -> None:
    assert kinds(STATES["acknowledged"], Acknowledge("ana")) == []
    assert kinds(after(opened(), Assign("ana", "cy")), Assign("bo", "cy")) == []


def test_every_step_raises_the_version_by_one() -> None:
    state = opened()
    for number, command in enumerate([Acknowledge("ana"), Comment("ana", "x"), resolve()], start=2):
        state = after(state, command)
        assert state.version == number


class TestRegression:
    """Only evidence that is newer than the resolution brings an exception back (REC-8)."""

    def test_seen_after_the_resolution_comes_back_with_its_past(self) -> None:
        state = after(STATES["acknowledged"], resolve())
        assert kinds(state, seen(6)) == ["regressed"]
        back = after(state, seen(6))
        assert (back.status, back.regressions, back.occurrences, back.workflow.assignee) == (
            "open",
            1,
            2,
            "ana",
        )

    def test_read_before_the_resolution_changes_nothing(self) -> None:
        assert after(STATES["resolved"], seen(4)) == STATES["resolved"]

    def test_clean_read_from_before_the_last_sighting_resolves_nothing(self) -> None:
        assert after(after(opened(), seen(7)), gone(6)).status == "open"

    def test_clean_read_from_before_a_reopening_resolves_nothing(self) -> None:
        assert after(STATES["resolved"], Reopen("ana", "no", 8), gone(7)).status == "open"

    def test_machine_resolution_comes_back_too(self) -> None:
        assert kinds(after(opened(), gone(3)), seen(4)) == ["regressed"]

    @pytest.mark.parametrize("code", ["accepted", "written_off", "duplicate", "false_positive"])
    def test_judgement_holds_up_to_the_difference_that_was_judged(self, code: str) -> None:
        state = after(opened(), resolve(code))
        assert after(state, seen(6, -500)).status == "resolved"
        assert after(state, seen(6, 501)).status == "open"
        assert after(state, seen(6, None)).status == "open"

    def test_accepted_up_to_a_difference_holds_until_it_is_larger(self) -> None:
        state = after(opened(), resolve("accepted", up_to=900))
        assert after(state, seen(6, 900), gone(7), seen(8, 900)).status == "resolved"
        assert after(state, seen(6, 901)).status == "open"

    @pytest.mark.parametrize("code", ["accepted", "written_off"])
    def test_less_than_the_difference_cannot_be_accepted(self, code: str) -> None:
        with pytest.raises(StepRefusedError, match="give up_to 500 or more") as refused:
            step(opened(), resolve(code, up_to=499), at=T0)
        assert refused.value.kind == "invalid-step"

    def test_problem_without_an_amount_stays_judged(self) -> None:
        assert after(opened(amount=None), resolve("duplicate"), seen(6, None)).status == "resolved"


class TestEscalation:
    """What grows while somebody has it, or lets it rest, wakes (REC-8)."""

    @pytest.mark.parametrize("status", ["acknowledged", "suppressed"])
    def test_larger_difference_and_higher_severity_wake(self, status: str) -> None:
        state = STATES[status]
        assert kinds(state, seen(2)) == []
        assert kinds(state, seen(2, -501)) == ["revised", "escalated"]
        assert kinds(state, seen(2, severity="high")) == ["revised", "escalated"]
        assert kinds(state, seen(2, 400, severity="low")) == ["revised"]
        woken = after(state, seen(2, 501))
        assert (woken.status, woken.escalated_at) == ("open", T0)

    def test_acknowledged_and_left_lying_escalates(self) -> None:
        state = STATES["acknowledged"]
        for evidence in range(2, OCCURRENCES_UNTIL_ESCALATION + 1):
            state = after(state, seen(evidence))
        assert state.status == "acknowledged"
        assert kinds(state, seen(99)) == ["escalated"]

    def test_suppression_beyond_a_difference_names_the_growth_that_counts(self) -> None:
        state = after(opened(), Suppress("ana", "x", beyond=2000))
        assert kinds(state, seen(2, 2000, severity="high")) == ["revised"]
        assert kinds(state, seen(2, 2001)) == ["revised", "escalated"]
        assert kinds(state, seen(2, None)) == ["revised", "escalated"]

    def test_suppression_counts_occurrences_from_now(self) -> None:
        state = after(opened(), seen(2), Suppress("ana", "x", occurrences=2))
        assert kinds(state, seen(3)) == []
        assert kinds(after(state, seen(3)), seen(4)) == ["escalated"]

    def test_suppression_ends_in_time_with_and_without_a_sighting(self) -> None:
        state = STATES["suppressed"]
        assert kinds(state, Wake("reconciler")) == []
        assert kinds(state, Wake("reconciler"), at=T0 + HOUR) == ["woke"]
        assert kinds(state, seen(2), at=T0 + HOUR) == ["woke"]
        assert kinds(STATES["open"], Wake("reconciler")) == []
        assert kinds(after(opened(), Suppress("ana", "x", beyond=1000)), Wake("reconciler")) == []

    @pytest.mark.parametrize("values", [{}, {"until": T0}])
    def test_suppression_without_an_end_is_refused(self, values: dict[str, Any]) -> None:
        with pytest.raises(StepRefusedError) as refused:
            step(opened(), Suppress("ana", "x", **values), at=T0)
        assert refused.value.kind == "invalid-step"


class TestWaiting:
    """What may pass by itself is no work yet, and costs nobody time (REC-8)."""

    def test_waits_then_opens_when_a_person_has_to_act(self) -> None:
        state = open_exception("e", seen(1, waiting="first_charge"), at=T0).state
        assert (state.opened_at, state.clock.running_since) == (None, None)
        assert kinds(state, seen(2, waiting="first_charge")) == []
        assert kinds(state, seen(2), at=T0 + HOUR) == ["opened"]
        opened_ = after(state, seen(2), at=T0 + HOUR)
        assert (opened_.opened_at, opened_.clock.running_since) == (T0 + HOUR, T0 + HOUR)

    def test_refund_on_its_way_stops_the_clock(self) -> None:
        state = after(opened(), seen(2, waiting="refund"), at=T0 + HOUR)
        assert (state.status, state.waiting) == ("open", "refund")
        assert state.clock.read(T0 + 9 * HOUR) == HOUR
        assert kinds(opened(), seen(2, waiting="refund")) == ["waits"]

    def test_resolved_exception_stays_resolved_while_it_may_pass(self) -> None:
        state = after(STATES["resolved"], seen(6, waiting="refund"))
        assert (state.status, state.waiting) == ("resolved", None)

    def test_passes_without_anybody(self) -> None:
        state = open_exception("e", seen(1, waiting="money"), at=T0).state
        assert after(state, gone(2)).status == "resolved"


class TestFourEyes:
    """Above an amount, a second person confirms (REC-9)."""

    LIMIT = 499

    def test_one_person_proposes_another_confirms(self) -> None:
        proposed = after(opened(), resolve("written_off", alone_up_to=self.LIMIT))
        assert proposed.status == "open"
        assert proposed.workflow.proposal is not None
        with pytest.raises(StepRefusedError, match="another person") as refused:
            step(proposed, resolve("written_off", alone_up_to=self.LIMIT), at=T0)
        assert refused.value.kind == "second-person-required"
        other = resolve("fixed", by="bo", alone_up_to=self.LIMIT)
        assert kinds(proposed, other) == ["proposed"]
        confirm = resolve("written_off", by="bo", alone_up_to=self.LIMIT)
        assert after(proposed, confirm).status == "resolved"

    def test_second_person_confirms_the_same_size_only(self) -> None:
        proposed = after(opened(), resolve("accepted", up_to=600, alone_up_to=self.LIMIT))
        wider = resolve("accepted", by="bo", up_to=10_000, alone_up_to=self.LIMIT)
        assert kinds(proposed, wider) == ["proposed"], "one person alone has agreed to the larger size"
        same = resolve("accepted", by="bo", up_to=600, alone_up_to=self.LIMIT)
        assert kinds(proposed, same) == ["resolved"]

    def test_small_amount_needs_one_person_and_an_unknown_one_two(self) -> None:
        assert after(opened(amount=499), resolve(alone_up_to=self.LIMIT)).status == "resolved"
        assert after(opened(amount=None), resolve(alone_up_to=self.LIMIT)).status == "open"


class TestClock:
    """The clock counts what a person lets wait (REC-9c)."""

    def test_counts_until_acknowledged_and_resolved(self) -> None:
        state = after(opened(), Acknowledge("ana"), at=T0 + HOUR)
        state = after(state, resolve(), at=T0 + 3 * HOUR)
        assert state.clock.acknowledged_after == HOUR
        assert (state.clock.resolved_after, state.clock.running_since) == (3 * HOUR, None)

    def test_stands_still_while_suppressed(self) -> None:
        state = after(opened(), Suppress("ana", "x", until=T0 + 5 * HOUR), at=T0 + HOUR)
        state = after(state, Wake("reconciler"), at=T0 + 5 * HOUR)
        assert state.clock.read(T0 + 6 * HOUR) == 2 * HOUR

    def test_begins_anew_when_the_problem_comes_back(self) -> None:
        state = after(opened(), resolve(), at=T0 + HOUR)
        back = after(state, seen(6), at=T0 + 9 * HOUR)
        assert back.clock.read(T0 + 10 * HOUR) == HOUR
        assert back.clock.acknowledged_after is None

    def test_goes_on_after_a_reverted_resolution(self) -> None:
        state = after(opened(), resolve(), at=T0 + HOUR)
        reverted = after(state, Revert("bo", "no", "resolved", opened().workflow, 7), at=T0 + 2 * HOUR)
        assert reverted.status == "open"
        assert reverted.clock.read(T0 + 3 * HOUR) == 2 * HOUR
        assert after(reverted, seen(6)).occurrences == 1, "read before the person took it back"
