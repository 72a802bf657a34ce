"""A run pauses while booking is busy, in proportion to its own work, and never otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.pacing import (
    BUSY_TRANSACTIONS_PER_SECOND,
    PAUSE_FACTOR,
    PAUSE_SECONDS_MAX,
    pause_seconds,
)


@given(st.floats(0.001, 100), st.floats(0, 100))
def test_run_among_idle_clients_never_pauses(elapsed: float, worked: float) -> None:
    transactions = int((BUSY_TRANSACTIONS_PER_SECOND - 1) * elapsed)
    assert pause_seconds(transactions=transactions, elapsed=elapsed, worked=worked) == 0


@pytest.mark.parametrize(
    ("worked", "paused"), [(0.1, 0.1 * PAUSE_FACTOR), (60.0, PAUSE_SECONDS_MAX), (0.0, 0.0)]
)
def test_run_among_busy_clients_works_a_share_of_the_time(worked: float, paused: float) -> None:
    assert pause_seconds(transactions=1000, elapsed=1.0, worked=worked) == paused
