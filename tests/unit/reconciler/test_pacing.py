"""A run pauses while booking is busy, in proportion to its own work, and never otherwise."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.pacing import (
    BUSY_TRANSACTIONS_PER_SECOND,
    PAUSE_FACTOR,
    PAUSE_SECONDS_MAX,
    READING_SECONDS_MAX,
    Traffic,
)

PAGE_SECONDS = 0.06
IDLE, BUSY = BUSY_TRANSACTIONS_PER_SECOND // 2, 5 * BUSY_TRANSACTIONS_PER_SECOND


def counted(per_second: int, at: float) -> int:
    """Return the counter of a session that PostgreSQL counts once a second."""
    return per_second * int(at)


def read_pages(traffic: Traffic, per_second: int, *, begin: float = 100.0, pages: int = 100) -> list[bool]:
    """Read the counter after each page. Return after which pages the run would pause."""
    busy: list[bool] = []
    for page in range(pages):
        at = begin + page * PAGE_SECONDS
        traffic.read(counted(per_second, at), at=at)
        busy.append(traffic.is_busy())
    return busy


def test_transactions_that_are_counted_all_at_once_are_no_rush() -> None:
    assert not any(read_pages(Traffic(), IDLE))


def test_busy_database_is_known_a_second_after_the_first_page_and_from_then_on() -> None:
    busy = read_pages(Traffic(), BUSY)
    assert all(busy[int(1 / PAGE_SECONDS) + 1 :])


def test_run_that_follows_another_knows_at_its_first_page() -> None:
    traffic = Traffic()
    read_pages(traffic, BUSY, begin=100.0)
    assert read_pages(traffic, BUSY, begin=107.0, pages=1) == [True]


def test_what_was_read_for_a_run_long_ago_does_not_count() -> None:
    traffic = Traffic()
    read_pages(traffic, IDLE, begin=100.0)
    later = 106.0 + READING_SECONDS_MAX
    traffic.read(1_000_000, at=later)
    assert not traffic.is_busy()


def test_run_goes_on_when_the_others_have_ended() -> None:
    traffic = Traffic()
    read_pages(traffic, BUSY, begin=100.0, pages=50)
    last = counted(BUSY, 103.0)
    busy: list[bool] = []
    for page in range(100):
        traffic.read(last, at=103.0 + page * PAGE_SECONDS)
        busy.append(traffic.is_busy())
    assert busy[0]
    assert not any(busy[50:])


@given(st.lists(st.floats(0.001, 8), min_size=1, max_size=50), st.floats(0, 100))
def test_run_among_idle_clients_never_pauses(seconds: list[float], worked: float) -> None:
    traffic = Traffic()
    for at in accumulate(seconds):
        traffic.read(int(IDLE * at), at=at)
        assert traffic.pause_seconds(worked=worked) == 0


@pytest.mark.parametrize(
    ("worked", "paused"), [(0.1, 0.1 * PAUSE_FACTOR), (60.0, PAUSE_SECONDS_MAX), (0.0, 0.0)]
)
def test_run_among_busy_clients_works_a_share_of_the_time(worked: float, paused: float) -> None:
    traffic = Traffic()
    for at in (1.0, 2.0):
        traffic.read(int(BUSY * at), at=at)
    assert traffic.pause_seconds(worked=worked) == paused
