from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.events import Origin
from audit.domain.history_gaps import Gap, RecordedVersion, classify_gaps, gaps

BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
PATIENCE = timedelta(seconds=300)
ORIGIN = Origin("bookings.events.v1", 0, 0)


def recorded_versions(seconds_by_version: dict[int, int]) -> list[RecordedVersion]:
    return [
        RecordedVersion(version, BEGAN + timedelta(seconds=seconds), ORIGIN)
        for version, seconds in sorted(seconds_by_version.items())
    ]


@given(st.sets(st.integers(1, 40)).map(sorted))
def test_gaps_are_the_runs_of_all_that_is_missing(versions: Sequence[int]) -> None:
    result = gaps(versions)
    missing = [version for gap in result for version in range(gap.first, gap.last + 1)]
    assert missing == sorted(set(range(1, max(versions, default=0))) - set(versions))
    assert all(gap.last + 1 in versions for gap in result)


@pytest.mark.parametrize(("age", "reported"), [(299, []), (300, [Gap(2, 3)])])
def test_gap_is_reported_when_what_is_behind_it_waits_too_long(age: int, reported: list[Gap]) -> None:
    now = BEGAN + timedelta(seconds=age)
    state = classify_gaps(
        recorded_versions({1: -900, 4: 0, 5: 299}), reported_to=0, now=now, patience=PATIENCE
    )
    assert (state.overdue, state.is_whole, state.is_healed) == (reported, False, False)


def test_new_gap_behind_an_old_one_has_its_own_patience() -> None:
    state = classify_gaps(
        recorded_versions({1: 0, 3: 0, 5: 900}),
        reported_to=2,
        now=BEGAN + timedelta(seconds=1000),
        patience=PATIENCE,
    )
    assert (state.overdue, state.reported_to) == ([], 2)


def test_absurd_version_is_one_gap() -> None:
    assert gaps([1, 2**62]) == [Gap(2, 2**62 - 1)]


@given(st.permutations(range(1, 9)), st.sets(st.integers(1, 8)), st.lists(st.integers(0, 400), min_size=9))
def test_whatever_order_and_loss_each_gap_is_reported_once_and_healed_once(
    order: Sequence[int], lost: set[int], pauses: Sequence[int]
) -> None:
    """Versions come in any order, some only at the very end; the job looks after each of them."""
    seconds, reported_to = 0, 0
    here: dict[int, int] = {}
    reported: list[int] = []
    open_reports, healed = 0, 0
    for step, version in enumerate([v for v in order if v not in lost] + [v for v in order if v in lost]):
        here.setdefault(version, seconds)
        seconds += pauses[step]
        now = BEGAN + timedelta(seconds=seconds)
        state = classify_gaps(recorded_versions(here), reported_to=reported_to, now=now, patience=PATIENCE)
        if state.is_healed:
            healed, open_reports = healed + 1, 0
        for gap in state.overdue:
            reported += range(gap.first, gap.last + 1)
            open_reports = 1
        missing = set(range(1, max(here))) - here.keys()
        assert state.is_whole == (not missing)
        assert not open_reports or missing & set(reported)
        reported_to = state.reported_to
    assert len(reported) == len(set(reported))
    assert (reported_to, open_reports) == (0, 0)
    assert (healed > 0) == bool(reported)
