"""Pure decisions of a relay: fair share, low watermarks, holds, full polls."""

from collections.abc import Collection, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.kafka.errors import BrokerUnavailableError, RecordRefusedError
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.messaging.message import pack_headers
from chassis.messaging.outbox import SHARDS
from chassis.relay import publisher
from chassis.relay.holds import HELD_KEYS_MAX, Holds, classify_outcomes
from chassis.relay.low_watermark import PREPARED, LowWatermarks
from chassis.relay.shards import fair_share


@given(members=st.integers(1, 40))
def test_shares_together_hold_all_shards_and_none_is_much_more_than_even(members: int) -> None:
    assert fair_share(members) * members >= SHARDS
    assert fair_share(members) - SHARDS / members < 1


class WatermarkMachine(RuleBasedStateMachine):
    """Transactions draw ids in order and end in any order, while a relay polls and sends."""

    def __init__(self) -> None:
        super().__init__()
        self.watermarks = LowWatermarks()
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
    def poll_and_send(self, limit: int, sent: int, shards: list[int]) -> None:
        polled: list[tuple[int, int]] = []
        for shard, watermark in zip(shards, self.watermarks.of(shards), strict=True):
            rows = sorted(row for row in self.visible if row[0] == shard and row[1] > watermark)
            polled += rows[:limit]
        lowest = {shard: min(i for s, i in polled if s == shard) for shard in {s for s, _ in polled}}
        self.watermarks.record_poll(shards, lowest, max((i for _, i in polled), default=0))
        self.visible -= set(polled[:sent])

    @rule()
    def raise_watermarks(self) -> None:
        self.watermarks.record_writers({f"5/{number}" for number in self.writing})

    @rule()
    def start_over(self) -> None:
        self.watermarks.reset()

    @invariant()
    def no_row_is_or_will_be_below_its_watermark(self) -> None:
        watermarks = dict(zip((0, 1), self.watermarks.of((0, 1)), strict=True))
        uncommitted = {row for rows in self.writing.values() for row in rows}
        assert [row for row in self.visible | uncommitted if row[1] <= watermarks[row[0]]] == []

    def _write(self, transaction: int, shard: int, rows: int) -> None:
        for _ in range(rows):
            self.writing[transaction].append((shard, self.next_id))
            self.next_id += 1


TestWatermarks = WatermarkMachine.TestCase
TestWatermarks.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def _watermarks_after(writers: Iterator[set[str]]) -> list[int]:
    watermarks = LowWatermarks()
    watermarks.record_poll([0], {0: 7}, 9)
    for present in writers:
        watermarks.record_writers(present)
    watermarks.record_poll([0], {}, 0)
    return watermarks.of([0])


def test_watermark_rises_to_the_highest_id_once_all_writers_of_that_time_have_ended() -> None:
    assert _watermarks_after(iter([{"3/1", "4/1"}, {"4/1"}])) == [0]
    assert _watermarks_after(iter([{"3/1", "4/1"}, {"4/1"}, {"5/1"}])) == [9]


def test_writers_are_not_polled_once_all_ids_are_settled() -> None:
    watermarks = LowWatermarks()
    assert not watermarks.can_rise
    watermarks.record_poll([0], {0: 7}, 9)
    for _ in range(2):
        assert watermarks.can_rise
        watermarks.record_writers(set())
    assert not watermarks.can_rise


def test_prepared_transaction_keeps_the_watermark_down_because_its_name_changed() -> None:
    assert _watermarks_after(iter([{"3/1"}, {f"{PREPARED}777"}])) == [0]
    assert _watermarks_after(iter([{"3/1"}, {f"{PREPARED}777"}, set()])) == [9]


def _record(key: bytes, topic: str = "t") -> OutgoingRecord:
    return OutgoingRecord(topic, key, b"", ())


REFUSED, UNANSWERED = RecordRefusedError("too large"), BrokerUnavailableError("no ack")


def test_only_records_before_a_failure_of_their_key_count_as_sent() -> None:
    records = [_record(b"a"), _record(b"a"), _record(b"b"), _record(b"a"), _record(b"a", "other")]
    result = classify_outcomes(records, [None, REFUSED, None, None, None])
    assert result.sent == [0, 2, 4]
    assert (result.refused, result.unanswered) == ({("t", b"a"): "too large"}, {})


def test_record_without_an_ack_holds_back_its_topic() -> None:
    result = classify_outcomes([_record(b"a"), _record(b"b"), _record(b"b")], [UNANSWERED, None, None])
    assert (result.sent, result.refused, result.unanswered) == ([1, 2], {}, {"t": "no ack"})


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([None, REFUSED, UNANSWERED]))))
def test_sent_records_of_a_key_are_a_prefix_without_a_failure(
    batch: list[tuple[bytes, BrokerUnavailableError | None]],
) -> None:
    result = classify_outcomes([_record(key) for key, _ in batch], [outcome for _, outcome in batch])
    for key in (b"a", b"b", b"c"):
        positions = [position for position, (each, _) in enumerate(batch) if each == key]
        sent = [position for position in positions if position in result.sent]
        assert sent == positions[: len(sent)]
        assert all(batch[position][1] is None for position in sent)
        assert len(sent) == len(positions) or batch[positions[len(sent)]][1] is not None


def test_holds_are_described_by_name_and_number() -> None:
    holds = Holds()
    assert (bool(holds), holds.describe()) == (False, "")
    holds.hold_key(("t", b"a"), "too large")
    holds.hold_key(("t", b"b"), "too large as well")
    holds.hold_topic("u", "it does not exist")
    assert holds.describe() == (
        "topic u is held back: it does not exist; key 'a' and 1 more of t held back: too large"
    )
    holds.clear()
    assert not holds


@pytest.mark.parametrize("topic", ["t", "another"])
def test_too_many_held_keys_hold_back_their_topic_whole(topic: str) -> None:
    holds = Holds()
    for number in range(HELD_KEYS_MAX):
        holds.hold_key(("t", b"%d" % number), "too large")
    holds.hold_key((topic, b"one more"), "too large")
    assert len(holds.keys) == HELD_KEYS_MAX
    assert list(holds.topics) == [topic]


# --- full polls ------------------------------------------------------------------------------------------


class HeldSnapshot:
    """Session and producer of a publisher.

    A full poll takes half a second, any other a tenth of a millisecond. Each returns one row.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.last_id = 0
        self.full_poll_seconds = 0.0

    async def fetch(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        if query == publisher._WRITERS:  # pyright: ignore[reportPrivateUsage]
            return []
        is_full = arguments[1] == [0]
        seconds = 0.5 if is_full else 0.0001
        self.full_poll_seconds += seconds if is_full else 0.0
        self.now += seconds
        self.last_id += 1
        row = {"shard": 0, "id": self.last_id, "topic": "t", "key": b"k", "value": b"v"}
        return [row | {"headers": pack_headers(())}]

    async def execute(self, _query: str, *_arguments: Any) -> None:
        self.now += 0.005

    async def led(self, topics: Collection[str]) -> set[str]:
        return set(topics)

    async def send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        assert ack_seconds_max > 0
        return [None] * len(records)


async def test_full_polls_are_too_rare_to_show_in_p99(monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldSnapshot()
    monkeypatch.setattr(publisher, "time", SimpleNamespace(monotonic=lambda: held.now))
    publishing = publisher.Publisher(cast("Any", held), held)
    while held.now < 600:
        await publishing.raise_watermarks()
        await publishing.publish_batch([0])
    full_polls = held.full_poll_seconds / 0.5
    assert 3 <= full_polls <= 0.01 * held.now / 0.5, f"{full_polls} full polls in {held.now} s"
