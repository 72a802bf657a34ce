"""What a relay decides without I/O: its share, where a look begins, what it holds back."""

from collections.abc import Collection, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.kafka.errors import BrokerUnavailableError, RecordRefusedError
from chassis.kafka.producer import OutgoingRecord
from chassis.messaging.message import pack_headers
from chassis.messaging.outbox import SHARDS
from chassis.relay import publisher
from chassis.relay.holds import HELD_LINES_MAX, Holds, judge
from chassis.relay.low_watermark import PREPARED, Floors
from chassis.relay.shards import fair_share


@given(members=st.integers(1, 40))
def test_shares_together_hold_all_shards_and_none_is_much_more_than_even(members: int) -> None:
    assert fair_share(members) * members >= SHARDS
    assert fair_share(members) - SHARDS / members < 1


class FloorsMachine(RuleBasedStateMachine):
    """Transactions draw ids in order and end in any order; a relay looks, sends and settles in between."""

    def __init__(self) -> None:
        super().__init__()
        self.floors = Floors()
        self.next_id = 1
        self.writing: dict[int, list[tuple[int, int]]] = {}
        self.visible: set[tuple[int, int]] = set()
        self.transactions = 0

    @rule(shard=st.integers(0, 1), rows=st.integers(1, 3))
    def begin(self, shard: int, rows: int) -> None:
        self.transactions += 1
        self.writing[self.transactions] = []
        self._write(self.transactions, shard, rows)

    @precondition(lambda self: self.writing)
    @rule(data=st.data(), shard=st.integers(0, 1))
    def write_more(self, data: st.DataObject, shard: int) -> None:
        self._write(data.draw(st.sampled_from(sorted(self.writing))), shard, 1)

    @precondition(lambda self: self.writing)
    @rule(data=st.data(), commits=st.booleans())
    def end(self, data: st.DataObject, commits: bool) -> None:
        rows = self.writing.pop(data.draw(st.sampled_from(sorted(self.writing))))
        if commits:
            self.visible.update(rows)

    @rule(limit=st.integers(1, 4), sent=st.integers(0, 8), shards=st.sampled_from([[0], [1], [0, 1]]))
    def look_and_send(self, limit: int, sent: int, shards: list[int]) -> None:
        found: list[tuple[int, int]] = []
        for shard, floor in zip(shards, self.floors.of(shards), strict=True):
            rows = sorted(row for row in self.visible if row[0] == shard and row[1] > floor)
            found += rows[:limit]
        lowest = {shard: min(i for s, i in found if s == shard) for shard in {s for s, _ in found}}
        self.floors.looked(shards, lowest, max((i for _, i in found), default=0))
        self.visible -= set(found[:sent])

    @rule()
    def settle(self) -> None:
        self.floors.settle({f"5/{number}" for number in self.writing})

    @rule()
    def start_over(self) -> None:
        self.floors.reset()

    @invariant()
    def no_row_is_or_will_be_below_its_floor(self) -> None:
        floors = dict(zip((0, 1), self.floors.of((0, 1)), strict=True))
        uncommitted = {row for rows in self.writing.values() for row in rows}
        assert [row for row in self.visible | uncommitted if row[1] <= floors[row[0]]] == []

    def _write(self, transaction: int, shard: int, rows: int) -> None:
        for _ in range(rows):
            self.writing[transaction].append((shard, self.next_id))
            self.next_id += 1


TestFloors = FloorsMachine.TestCase
TestFloors.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def _floors_after(writers: Iterator[set[str]]) -> list[int]:
    floors = Floors()
    floors.looked([0], {0: 7}, 9)
    for present in writers:
        floors.settle(present)
    floors.looked([0], {}, 0)
    return floors.of([0])


def test_floor_rises_to_what_was_seen_once_all_writers_of_that_time_have_ended() -> None:
    assert _floors_after(iter([{"3/1", "4/1"}, {"4/1"}])) == [0]
    assert _floors_after(iter([{"3/1", "4/1"}, {"4/1"}, {"5/1"}])) == [9]


def test_nothing_is_asked_of_writers_once_all_that_was_seen_is_settled() -> None:
    floors = Floors()
    assert not floors.can_rise
    floors.looked([0], {0: 7}, 9)
    for _ in range(2):
        assert floors.can_rise
        floors.settle(set())
    assert not floors.can_rise


def test_prepared_transaction_keeps_the_floor_down_because_it_changed_its_name() -> None:
    assert _floors_after(iter([{"3/1"}, {f"{PREPARED}777"}])) == [0]
    assert _floors_after(iter([{"3/1"}, {f"{PREPARED}777"}, set()])) == [9]


def _record(key: bytes, topic: str = "t") -> OutgoingRecord:
    return OutgoingRecord(topic, key, b"", ())


REFUSED, UNANSWERED = RecordRefusedError("too large"), BrokerUnavailableError("no ack")


def test_of_a_line_with_a_failure_only_what_stands_before_it_counts_as_sent() -> None:
    records = [_record(b"a"), _record(b"a"), _record(b"b"), _record(b"a"), _record(b"a", "other")]
    verdict = judge(records, [None, REFUSED, None, None, None])
    assert verdict.sent == [0, 2, 4]
    assert (verdict.refused, verdict.unanswered) == ({("t", b"a"): "too large"}, {})


def test_record_without_an_ack_holds_back_its_topic() -> None:
    verdict = judge([_record(b"a"), _record(b"b"), _record(b"b")], [UNANSWERED, None, None])
    assert (verdict.sent, verdict.refused, verdict.unanswered) == ([1, 2], {}, {"t": "no ack"})


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([None, REFUSED, UNANSWERED]))))
def test_sent_records_of_a_line_are_a_prefix_without_a_failure(
    batch: list[tuple[bytes, BrokerUnavailableError | None]],
) -> None:
    verdict = judge([_record(key) for key, _ in batch], [outcome for _, outcome in batch])
    for wanted in (b"a", b"b", b"c"):
        places = [place for place, (key, _) in enumerate(batch) if key == wanted]
        sent = [place for place in places if place in verdict.sent]
        assert sent == places[: len(sent)]
        assert all(batch[place][1] is None for place in sent)
        assert len(sent) == len(places) or batch[places[len(sent)]][1] is not None


def test_what_is_held_back_is_told_by_name_and_number() -> None:
    holds = Holds()
    assert (bool(holds), holds.account()) == (False, "")
    holds.hold_line(("t", b"a"), "too large")
    holds.hold_line(("t", b"b"), "too large as well")
    holds.hold_topic("u", "it does not exist")
    assert holds.account() == (
        "topic u is held back: it does not exist; key 'a' and 1 more of t held back: too large"
    )
    holds.clear()
    assert not holds


@pytest.mark.parametrize("topic", ["t", "another"])
def test_too_many_held_keys_hold_back_their_topic_whole(topic: str) -> None:
    holds = Holds()
    for number in range(HELD_LINES_MAX):
        holds.hold_line(("t", b"%d" % number), "too large")
    holds.hold_line((topic, b"one more"), "too large")
    assert len(holds.lines) == HELD_LINES_MAX
    assert list(holds.topics) == [topic]


# --- looks from the lowest id ----------------------------------------------------------------------------


class HeldSnapshot:
    """Session and publisher of an outlet. A look from the lowest id takes half a second, any other a tenth of
    a millisecond; each finds one row."""

    def __init__(self) -> None:
        self.now = 0.0
        self.last_id = 0
        self.seconds_of_full_looks = 0.0

    async def fetch(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        if query == publisher._WRITERS:  # pyright: ignore[reportPrivateUsage]
            return []
        floors = arguments[1]
        spent = 0.5 if floors == [0] else 0.0001
        self.seconds_of_full_looks += spent if floors == [0] else 0.0
        self.now += spent
        self.last_id += 1
        named = {"shard": 0, "id": self.last_id, "topic": "t", "key": b"k", "value": b"v"}
        return [named | {"headers": pack_headers(())}]

    async def execute(self, _query: str, *_arguments: Any) -> None:
        self.now += 0.005

    async def led(self, topics: Collection[str]) -> set[str]:
        return set(topics)

    async def send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        assert ack_seconds_max > 0
        return [None] * len(records)


async def test_looks_that_every_row_waits_for_do_not_show_in_p99(monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldSnapshot()
    monkeypatch.setattr(publisher, "time", SimpleNamespace(monotonic=lambda: held.now))
    moving = publisher.Outlet(cast("Any", held), held)
    while held.now < 600:
        await moving.settle()
        await moving.move([0])
    looks = held.seconds_of_full_looks / 0.5
    assert 3 <= looks <= 0.01 * held.now / 0.5, f"{looks} looks from the lowest id in {held.now} s"
