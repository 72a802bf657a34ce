"""What rows judge themselves: each judge finds what it is there for, and is silent about sound answers."""

from typing import Any

import pytest

from faults import bulk, clocks, rotations
from faults.clocks import Jump
from faults.history import Line, Outcome
from faults.plan import Op
from faults.reconciling import Planted, differences
from reconciler.domain.findings import Finding

ENDED = 10.0
JUMPS = [Jump(0.0, 0.0, 0.0), Jump(600.0, 20.0, 20.1), Jump(-600.0, 40.0, 40.1)]


def line(signed: str, status: int, at: float, reason: str | None = None, *, id_: str = "evt_1") -> Line:
    """Sent at `at`, and answered half a second later."""
    outcome = Outcome.OK if status == 200 else Outcome.FAIL
    return Line(at + 0.5, at, Op.PAID, id_, "client-1", outcome, status, reason, signed)


@pytest.mark.parametrize(
    "sound",
    [
        line("old", 200, 5.0),
        line("new", 200, 5.0),
        line("new", 200, 15.0),
        line("old", 401, 15.0, "signature_mismatch"),
        line("old", 200, ENDED - 0.2),
        line("old", 401, ENDED - 0.2, "signature_mismatch"),  # the end came while it was under way
    ],
)
def test_rotation_that_holds_is_silent(sound: Line) -> None:
    assert rotations.misjudged([sound], ENDED) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (line("old", 401, 5.0, "signature_mismatch"), "valid deliveries refused"),
        (line("new", 401, 5.0, "signature_mismatch"), "valid deliveries refused"),
        (line("new", 401, 15.0, "signature_mismatch"), "valid deliveries refused"),
        (line("old", 200, 15.0), "old secrets accepted after their end"),
        (line("old", 401, 15.0, "timestamp_outside_window"), "old secrets refused as"),
    ],
)
def test_rotation_that_does_not_hold_is_told(wrong: Line, told: str) -> None:
    (violation,) = rotations.misjudged([line("new", 200, 5.0), wrong], ENDED)
    assert violation.startswith(told)


@pytest.mark.parametrize(
    "sound",
    [
        line("0.0", 200, 1.0),
        line("280.0", 200, 1.0),
        line("600.0", 401, 1.0, "timestamp_outside_window"),
        line("600.0", 200, 25.0),
        line("280.0", 401, 25.0, "timestamp_outside_window"),
        line("0.0", 200, 19.8),  # during the jump
        line("0.0", 401, 19.8, "timestamp_outside_window"),
        line("-600.0", 200, 50.0),
    ],
)
def test_window_that_alone_decides_is_silent(sound: Line) -> None:
    assert clocks.misjudged([sound], JUMPS) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (line("280.0", 401, 1.0, "timestamp_outside_window"), "refused as timestamp_outside_window"),
        (line("600.0", 200, 1.0), "accepted with clocks 600 s apart"),
        (line("0.0", 200, 25.0), "accepted with clocks 600 s apart"),
        (line("600.0", 200, 50.0), "accepted with clocks 1200 s apart"),
        (line("600.0", 401, 1.0, "signature_mismatch"), "outside the window, and refused as"),
    ],
)
def test_other_judge_than_the_window_is_told(wrong: Line, told: str) -> None:
    (violation,) = clocks.misjudged([line("0.0", 200, 1.0), wrong], JUMPS)
    assert violation.startswith(told)


def test_delivery_before_one_that_was_promised_earlier_is_told() -> None:
    first, second = line("0.0", 200, 1.0, id_="evt_1"), line("0.0", 200, 2.0, id_="evt_2")
    assert clocks.overtaken([first, second], "the topic", {"evt_1": 7, "evt_2": 8}) == []
    (violation,) = clocks.overtaken([first, second], "the topic", {"evt_1": 8, "evt_2": 7})
    assert "out of order in the topic: 1, as client-1" in violation


def test_deliveries_under_way_at_the_same_time_may_stand_either_way() -> None:
    first, second = line("0.0", 200, 1.0, id_="evt_1"), line("0.0", 200, 1.2, id_="evt_2")
    assert clocks.overtaken([first, second], "the topic", {"evt_1": 8, "evt_2": 7}) == []


def test_first_try_counts_though_it_was_not_answered() -> None:
    lost = Line(0.9, 0.5, Op.PAID, "evt_2", "client-1", Outcome.INFO, None)
    first, second = line("0.0", 200, 1.0, id_="evt_1"), line("0.0", 200, 2.0, id_="evt_2")
    assert clocks.overtaken([lost, first, second], "the topic", {"evt_1": 8, "evt_2": 7}) == []


def wrong_money(booking_id: str, *, drift_class: str = "snapshot_corrupt", line: int = 7) -> Finding:
    explanation = {"totals": {"snapshot": 5, "recomputed": 12}, "lines": [{"difference": line}]}
    return Finding("pricing_drift", booking_id, drift_class, "low", "", "", explanation)  # type: ignore[arg-type]


PLANTED = {"b": Planted("total", ("snapshot_corrupt", "low"))}


def test_wrong_money_that_is_found_right_is_silent() -> None:
    assert list(differences(PLANTED, {"b": [wrong_money("b")]})) == []
    assert list(differences({"b": Planted("one cent", None)}, {})) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, "b (total): expected [('snapshot_corrupt', 'low')], found []"),
        ({"b": [wrong_money("b", drift_class="engine_drift")]}, "found [('engine_drift', 'low')]"),
        ({"b": [wrong_money("b")] * 2}, "found [('snapshot_corrupt', 'low'), ('snapshot_corrupt', 'low')]"),
        ({"b": [wrong_money("b")], "c": [wrong_money("c")]}, "c (nothing): expected [], found"),
        ({"b": [wrong_money("b", line=6)]}, "lines of snapshot_corrupt add up to 6, not to 7"),
    ],
)
def test_wrong_money_missed_or_misjudged_is_told(found: dict[str, list[Finding]], told: str) -> None:
    [problem] = differences(PLANTED, found)
    assert told in problem


SOUND_OPERATION = {
    "planned_count": 1, "pending": 0, "stepped": 0, "refused": 0, "reverted": 1, "not_reverted": 0,
}  # fmt: skip
SOUND_STEPS = [{"exception": "e", "is_reverting": is_reverting} for is_reverting in (False, True)]


def bulk_problems(**changes: Any) -> list[str]:
    given: dict[str, Any] = {
        "operations": {"o": SOUND_OPERATION},
        "items": {("o", "reverted"): 1},
        "steps": SOUND_STEPS,
        "exceptions": 1,
        "reopened": 1,
        "events": 2,
    }
    return list(bulk.differences(**{**given, **changes}))


def test_bulk_operation_that_holds_is_silent() -> None:
    assert bulk_problems() == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"operations": {"o": {**SOUND_OPERATION, "pending": 1}}}, "not every exception is accounted for"),
        ({"items": {("o", "reverted"): 2}}, "its items say otherwise"),
        ({"steps": [*SOUND_STEPS, SOUND_STEPS[0]]}, "2 steps"),
        ({"steps": SOUND_STEPS[:1]}, "1 steps of 1 exceptions"),
        ({"reopened": 0}, "0 exceptions open"),
        ({"events": 1}, "1 events of 2 steps"),
    ],
)
def test_bulk_operation_that_loses_or_doubles_is_told(changes: dict[str, Any], told: str) -> None:
    assert any(told in problem for problem in bulk_problems(**changes))
