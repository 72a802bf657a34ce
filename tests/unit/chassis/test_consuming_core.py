"""The decision after a failure, complete: kind by batch size by attempts (design rule 6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.consuming.core import (
    BACK_OFF_SECONDS,
    BUG_ATTEMPTS_MAX,
    Action,
    Isolate,
    Retry,
    SetMessageAside,
    after_failure,
    back_off_seconds,
)
from chassis.errors import FailureKind
from contracts.reasons import SetAsideReason

sizes = st.integers(min_value=1, max_value=10_000)
attempts_made = st.integers(min_value=1, max_value=10_000)
MALFORMED, TRANSIENT, BUG = FailureKind.MALFORMED, FailureKind.TRANSIENT, FailureKind.BUG


@pytest.mark.parametrize(
    ("kind", "messages", "attempts", "action"),
    [
        (TRANSIENT, 1, 1, Retry(0.05)),
        (TRANSIENT, 500, 1, Retry(0.05)),
        (TRANSIENT, 1, 10_000, Retry(5.0)),
        (MALFORMED, 1, 1, SetMessageAside(SetAsideReason.MALFORMED)),
        (MALFORMED, 2, 1, Isolate()),
        (BUG, 2, 1, Isolate()),
        (BUG, 1, 1, Retry(0.05)),
        (BUG, 1, 2, Retry(0.1)),
        (BUG, 1, 3, SetMessageAside(SetAsideReason.BUG)),
    ],
)
def test_decision_table(kind: FailureKind, messages: int, attempts: int, action: Action) -> None:
    assert after_failure(kind, messages=messages, attempts=attempts) == action


@given(messages=sizes, attempts=attempts_made)
def test_transient_failure_never_isolates_nor_sets_aside(messages: int, attempts: int) -> None:
    assert after_failure(TRANSIENT, messages=messages, attempts=attempts) == Retry(back_off_seconds(attempts))


@given(attempts=attempts_made)
def test_single_malformed_message_is_set_aside_at_once(attempts: int) -> None:
    action = after_failure(MALFORMED, messages=1, attempts=attempts)
    assert action == SetMessageAside(SetAsideReason.MALFORMED)


@given(kind=st.sampled_from([MALFORMED, BUG]), messages=sizes.filter(lambda n: n > 1), attempts=attempts_made)
def test_fault_in_a_batch_costs_no_message_but_its_own(
    kind: FailureKind, messages: int, attempts: int
) -> None:
    assert after_failure(kind, messages=messages, attempts=attempts) == Isolate()


def test_bug_is_tried_exactly_as_often_as_its_limit_says() -> None:
    attempts = 1
    while after_failure(BUG, messages=1, attempts=attempts) != SetMessageAside(SetAsideReason.BUG):
        attempts += 1
    assert attempts == BUG_ATTEMPTS_MAX


@given(attempts=attempts_made)
def test_back_off_never_shrinks_and_is_bounded(attempts: int) -> None:
    assert 0 < back_off_seconds(attempts) <= back_off_seconds(attempts + 1) <= BACK_OFF_SECONDS[-1]
