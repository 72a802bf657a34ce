"""The check that stands behind every number of B3: each kind of damage is seen."""

import pytest

from bench.outbox_load import KEYS, Arrival, find_violations, make_events
from bench.outbox_scene import WRITERS
from bench.rows.outbox_held_snapshot import ROWS_PER_COMMIT
from chassis.messaging.outbox import OutgoingEvent

EVENTS = make_events(2 * KEYS)


def arrivals(events: list[OutgoingEvent]) -> list[Arrival]:
    return [Arrival(str(e.event_id), e.key, e.sequence or 0, 0.0) for e in events]


def test_everything_once_and_in_order_is_correct() -> None:
    assert find_violations(EVENTS, arrivals(EVENTS)) == []


def test_order_between_keys_does_not_matter() -> None:
    by_key = sorted(EVENTS, key=lambda event: (event.key, event.sequence or 0))
    assert find_violations(EVENTS, arrivals(by_key)) == []


def test_lost_doubled_invented_and_disordered_are_told() -> None:
    assert find_violations(EVENTS, arrivals(EVENTS[1:])) == ["1 lost"]
    assert find_violations(EVENTS, arrivals([*EVENTS, EVENTS[-1]])) == ["1 doubled"]
    assert find_violations(EVENTS[1:], arrivals(EVENTS)) == ["1 never written"]
    swapped = [EVENTS[KEYS], *EVENTS[1:KEYS], EVENTS[0], *EVENTS[KEYS + 1 :]]
    assert find_violations(EVENTS, arrivals(swapped)) == ["1 out of order within their key"]


@pytest.mark.parametrize("rows", [1, ROWS_PER_COMMIT])
def test_each_key_has_one_writer(rows: int) -> None:
    """Otherwise the load itself would commit a key's events out of order when the machine is slow."""
    assert KEYS % (rows * WRITERS) == 0
