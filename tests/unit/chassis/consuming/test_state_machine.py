"""The consuming core by situation: what it asks for after what came of the last step (design rule 6)."""

import pytest

from chassis.consuming.limits import Limits
from chassis.consuming.steps import Apply, SetAside, Wait
from chassis.messaging.failures import FailureKind
from unit.chassis.consuming.core_bench import PLACE, Bench, message, only

SUSPECT, MALFORMED, STORE = FailureKind.SUSPECT, FailureKind.MALFORMED, FailureKind.STORE
OTHER = ("t", 1)


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.assign()
    return made


# --- batch, then narrow -------------------------------------------------------------------------


def test_messages_are_applied_in_one_batch_and_committed(bench: Bench) -> None:
    bench.receive(*map(message, range(500)))
    bench.run()
    assert bench.batches == [list(range(500))]
    assert bench.committed == {PLACE: 500}


def test_one_bad_message_among_500_costs_few_transactions(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 321)
    bench.receive(*map(message, range(500)))
    bench.run()
    assert bench.set_aside == [321]
    assert sorted(bench.applied) == [n for n in range(500) if n != 321]
    assert len(bench.batches) < 40


def test_batch_holds_no_more_bytes_than_its_limit_and_a_larger_message_goes_alone() -> None:
    bench = Bench(Limits(batch_bytes_max=5_000))
    bench.assign()
    bench.receive(*(message(n, value=b"x" * size) for n, size in enumerate([1_000, 1_000, 9_000, 10])))
    bench.run()
    assert bench.batches == [[0, 1], [2], [3]]


def test_batches_grow_again_though_all_stands_behind_a_line(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 0)
    bench.receive(*(message(n) for n in range(8)))
    bench.run()
    bench.receive(*(message(n) for n in range(8, 900)))
    sizes = []
    while isinstance(step := bench.core.next_step(bench.now), Apply):
        sizes.append(len(step.entries))
        bench.core.applied(step, effects=0, no_room=[], now=bench.now)
    assert len(sizes) < 12


# --- held, then set aside ------------------------------------------------------------------------


def test_message_that_fails_is_held_its_key_waits_and_others_flow(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 1)
    keys = ["a", "b", "a", "b", "c"]
    bench.receive(*(message(n, key) for n, key in enumerate(keys)))
    while bench.step() != Wait(None) and not bench.set_aside:
        assert 3 not in bench.applied
    assert {0, 2, 4} <= set(bench.applied)
    bench.run()
    assert bench.applied[-1] == 3
    assert bench.committed == {PLACE: 5}


def test_bug_is_set_aside_only_after_another_message_was_applied_since(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 0, 1)
    bench.receive(message(0), message(1))
    for _ in range(12):
        bench.step()
    assert bench.set_aside == []
    bench.receive(message(2))
    bench.run(3.0)
    assert sorted(bench.set_aside) == [0, 1]


def test_bug_is_tried_as_often_as_its_limit_says(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 0)
    bench.receive(*map(message, range(40)))
    bench.run()
    assert bench.batches.count([0]) == Limits().suspect_attempts_max


def test_duplicates_prove_nothing(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 0)
    bench.receive(*map(message, range(3)))
    for _ in range(12):
        step = bench.core.next_step(bench.now)
        assert not isinstance(step, SetAside)
        if isinstance(step, Wait):
            bench.now = step.until or bench.now
        elif any(one.offset == 0 for one in step.messages):
            bench.core.failed(step, SUSPECT, "bug", bench.now)
        else:
            bench.core.applied(step, effects=0, no_room=[], now=bench.now)


def test_second_lone_message_in_a_row_waits_for_a_proof(bench: Bench) -> None:
    """With little traffic, a dependency that is down would otherwise set one after the other aside."""
    bench.fails = only(SUSPECT, 0, 1)
    bench.receive(message(0))
    bench.run()
    bench.receive(message(1))
    bench.run(120)
    assert bench.set_aside == [0]
    assert bench.core.trouble(bench.now)
    bench.receive(message(2))
    bench.run(60)
    assert bench.set_aside == [0, 1]


def test_few_messages_that_all_fail_are_held_and_none_is_set_aside(bench: Bench) -> None:
    bench.fails = only(SUSPECT, *range(5))
    bench.receive(*map(message, range(5)))
    bench.run(120)
    assert bench.set_aside == []
    bench.fails = lambda _: None
    bench.run(60)
    assert sorted(bench.applied) == list(range(5))


def test_lone_message_is_set_aside_after_a_while(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 0)
    bench.receive(message(0))
    bench.run()
    assert bench.set_aside == [0]
    assert len(bench.batches) == Limits().lone_attempts_max


def test_malformed_message_is_set_aside_at_once(bench: Bench) -> None:
    bench.fails = only(MALFORMED, 0)
    bench.receive(message(0))
    bench.step()
    assert isinstance(bench.core.next_step(bench.now), SetAside)
    bench.run()
    assert bench.batches == [[0], [0]]


@pytest.mark.parametrize(("kind", "attempts"), [(SUSPECT, Limits().lone_attempts_max - 1), (MALFORMED, 1)])
def test_message_is_tried_before_the_attempt_that_may_set_it_aside(
    kind: FailureKind, attempts: int, bench: Bench
) -> None:
    bench.fails = only(kind, 0)
    bench.receive(message(0))
    while not isinstance(step := bench.core.next_step(bench.now), SetAside):
        bench.step()
    assert (step.entry.kind, step.entry.attempts) == (kind, attempts)


# --- breaker (F23) ------------------------------------------------------------------------------


def test_everything_fails_opens_the_breaker_within_ten_messages_and_sets_nothing_aside(bench: Bench) -> None:
    bench.fails = lambda _: SUSPECT
    bench.receive(*map(message, range(600)))
    began = bench.now
    while "breaker" not in bench.core.trouble(bench.now):
        bench.step()
    assert bench.now - began < 5
    assert len({batch[0] for batch in bench.batches if len(batch) == 1}) == Limits().row_failures_max
    tried = len(bench.batches)
    for _ in range(40):
        bench.step()
    probes = [batch[0] for batch in bench.batches[tried:]]
    assert all(len(batch) == 1 for batch in bench.batches[tried:])
    assert len(set(probes)) == len(probes) > 10, "each probe is another message"
    assert bench.set_aside == []
    bench.fails = lambda _: None
    bench.run()
    assert sorted(bench.applied) == list(range(600))
    assert (bench.set_aside, bench.committed, bench.core.trouble(bench.now)) == ([], {PLACE: 600}, "")


def test_open_breaker_probes_a_held_message_where_there_is_no_new_one(bench: Bench) -> None:
    bench.fails = lambda _: SUSPECT
    bench.receive(*map(message, range(10)))
    bench.run(3_600)
    assert "breaker" in bench.core.trouble(bench.now)
    assert bench.set_aside == []
    bench.fails = lambda _: None
    bench.run()
    assert sorted(bench.applied) == list(range(10))


def test_open_breaker_judges_nobody_though_others_succeeded_before_it_opened() -> None:
    bench = Bench(Limits(row_failures_max=2))
    bench.assign()
    bench.fails = only(SUSPECT, 0)
    bench.receive(message(0), message(1))
    while bench.applied != [1]:
        bench.step()
    bench.fails = lambda _: SUSPECT
    bench.receive(message(2), message(3))
    bench.run(3_600)
    assert "breaker" in bench.core.trouble(bench.now)
    assert bench.batches.count([0]) > Limits().suspect_attempts_max
    assert bench.set_aside == []
    bench.fails = only(SUSPECT, 0)
    bench.run()
    assert (bench.set_aside, bench.core.trouble(bench.now)) == ([0], "")


def test_duplicate_does_not_close_the_breaker(bench: Bench) -> None:
    bench.fails = lambda _: SUSPECT
    bench.receive(*map(message, range(600)))
    while not isinstance(
        step := bench.core.next_step(bench.now), Apply
    ) or "breaker" not in bench.core.trouble(0):
        bench.step()
    bench.core.applied(step, effects=0, no_room=[], now=bench.now)
    assert "breaker" in bench.core.trouble(bench.now)


def test_probes_become_rare(bench: Bench) -> None:
    bench.fails = lambda _: SUSPECT
    bench.receive(*map(message, range(600)))
    bench.run(600)
    assert len(bench.batches) < 70


def test_dense_flood_of_malformed_messages_ends(bench: Bench) -> None:
    bench.fails = lambda one: MALFORMED if one.offset % 3 else None
    bench.receive(*map(message, range(900)))
    bench.run(60)
    assert bench.committed == {PLACE: 900}
    assert len(bench.set_aside) == 600


def test_nothing_but_malformed_messages_opens_the_breaker_too(bench: Bench) -> None:
    bench.fails = lambda _: MALFORMED
    bench.receive(*map(message, range(500)))
    bench.run(60)
    assert "breaker" in bench.core.trouble(bench.now)
    assert 90 < len(bench.set_aside) < 120


# --- reasons that pass --------------------------------------------------------------------------


def test_outage_sets_nothing_aside_and_is_tried_ever_more_rarely(bench: Bench) -> None:
    bench.fails = lambda _: STORE
    bench.receive(*map(message, range(100)))
    bench.step()
    assert isinstance(bench.core.next_step(bench.now), Wait), "a deadlock is over after a moment"
    bench.run(3_600)
    assert (bench.set_aside, bench.applied, bench.committed) == ([], [], {})
    assert len(bench.batches) < 3_600 / 4
    bench.fails = lambda _: None
    bench.run()
    assert sorted(bench.applied) == list(range(100))


def test_message_that_sticks_is_held_and_others_go_on(bench: Bench) -> None:
    bench.fails = only(STORE, 7)
    bench.receive(*map(message, range(500)))
    bench.run(120)
    assert sorted(bench.applied) == [n for n in range(500) if n != 7]
    assert bench.committed == {PLACE: 7}
    assert bench.set_aside == []


def test_transient_failure_while_narrowing_makes_batches_smaller(bench: Bench) -> None:
    bench.fails = lambda one: {3: STORE, 50: SUSPECT}.get(one.offset)
    bench.receive(*map(message, range(64)))
    step = bench.core.next_step(bench.now)
    assert isinstance(step, Apply)
    bench.core.failed(step, SUSPECT, "bug", bench.now)  # 50 was reached first
    bench.run(60)
    assert sorted(bench.applied) == [n for n in range(64) if n not in (3, 50)]


# --- no room, and no keeping --------------------------------------------------------------------


def test_no_room_behind_a_line_halts_its_partition_until_there_is(bench: Bench) -> None:
    bench.assign(PLACE, OTHER)
    bench.full = {1}
    bench.receive(*map(message, range(3)), message(100, place=OTHER))
    bench.run(20)
    assert (bench.applied.count(1), bench.committed) == (0, {PLACE: 1, OTHER: 101})
    assert "no room" in bench.core.trouble(bench.now - 1)
    bench.receive(message(101, place=OTHER))
    bench.step()
    assert 101 in bench.applied, "the other partition flows"
    bench.full = ()
    bench.run()
    assert bench.committed == {PLACE: 3, OTHER: 102}


def test_partition_without_room_is_left_alone_for_a_while(bench: Bench) -> None:
    bench.full = {0}
    bench.receive(message(0), message(1))
    bench.step()
    assert isinstance(bench.core.next_step(bench.now), Wait)


@pytest.mark.parametrize("keeps", [False, None])
def test_message_that_cannot_be_set_aside_does_not_pass(*, keeps: bool | None, bench: Bench) -> None:
    bench.assign(PLACE, OTHER)
    bench.fails, bench.keeps = only(MALFORMED, 0), keeps
    bench.receive(message(0), message(1, place=OTHER))
    bench.run(20)
    assert bench.committed == {OTHER: 2}
    assert bench.core.trouble(bench.now - 1)
    bench.keeps = True
    bench.run()
    assert bench.committed == {PLACE: 1, OTHER: 2}


def test_other_keys_go_on_while_a_message_cannot_be_set_aside(bench: Bench) -> None:
    bench.fails, bench.keeps = only(MALFORMED, 0), None
    bench.receive(*map(message, range(50)))
    bench.run(20)
    assert len(bench.applied) == 49


# --- assignments --------------------------------------------------------------------------------


def test_outcome_after_its_partition_went_counts_for_nothing(bench: Bench) -> None:
    bench.receive(message(0), message(1))
    step = bench.core.next_step(bench.now)
    assert isinstance(step, Apply)
    bench.core.revoke([PLACE])
    bench.core.applied(step, effects=2, no_room=[], now=bench.now)
    assert bench.core.to_commit() == {}


@pytest.mark.parametrize("outcome", ["applied", "failed"])
def test_outcome_of_an_earlier_assignment_counts_for_nothing(outcome: str, bench: Bench) -> None:
    bench.receive(message(0), message(1))
    step = bench.core.next_step(bench.now)
    assert isinstance(step, Apply)
    bench.core.revoke([PLACE])
    bench.assign()
    bench.receive(message(0), message(1))
    if outcome == "applied":
        bench.core.applied(step, effects=2, no_room=[], now=bench.now)
    else:
        bench.core.failed(step, SUSPECT, "bug", bench.now)
    assert bench.core.to_commit() == {}
    bench.run()
    assert (bench.applied, bench.committed) == ([0, 1], {PLACE: 2})


def test_last_attempt_under_an_earlier_assignment_is_forgotten(bench: Bench) -> None:
    bench.fails = only(MALFORMED, 0)
    bench.receive(message(0))
    bench.step()
    last_attempt = bench.core.next_step(bench.now)
    assert isinstance(last_attempt, SetAside)
    bench.core.revoke([PLACE])
    bench.assign()
    bench.receive(message(0), message(1))
    assert isinstance(bench.core.next_step(bench.now), Apply)
    bench.core.set_aside(last_attempt, MALFORMED, kept=True, now=bench.now)
    assert bench.core.to_commit() == {}


def test_held_message_of_a_partition_that_went_is_forgotten(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 0)
    bench.receive(message(0))
    bench.step()
    bench.core.revoke([PLACE])
    assert bench.core.next_step(bench.now + 60) == Wait(None)


def test_records_of_a_partition_that_is_not_ours_are_left_to_its_owner(bench: Bench) -> None:
    bench.receive(message(0, place=OTHER))
    assert bench.step() == Wait(None)


def test_offsets_that_begin_again_are_taken(bench: Bench) -> None:
    bench.receive(message(700))
    bench.run()
    bench.receive(message(0), message(1))  # the topic was made anew
    bench.run()
    assert (bench.applied, bench.committed) == ([700, 0, 1], {PLACE: 2})


# --- offsets and back-pressure ------------------------------------------------------------------


def test_offset_passes_only_when_all_before_it_is_done(bench: Bench) -> None:
    bench.fails = only(STORE, 2)
    bench.receive(*map(message, range(5)))
    bench.run(30)
    assert bench.committed == {PLACE: 2}
    bench.fails = lambda _: None
    bench.run()
    assert bench.committed == {PLACE: 5}


def test_offsets_without_a_record_for_us_pass_behind_the_messages_before_them(bench: Bench) -> None:
    """Transaction markers and aborted records: the client says how far it has read."""
    bench.receive(message(0), message(1))
    assert not bench.core.note_read(PLACE, 5), "two messages are not done"
    assert bench.core.to_commit() == {}
    bench.run()
    assert bench.committed == {PLACE: 5}
    assert bench.core.note_read(PLACE, 9)
    assert bench.core.to_commit() == {PLACE: 9}
    assert bench.core.backlog()[PLACE] == (9, None)


def test_committed_offset_is_not_committed_twice(bench: Bench) -> None:
    bench.receive(message(0))
    bench.run()
    assert bench.core.to_commit() == {}


def test_partition_is_paused_at_its_count_and_resumed_at_half_of_it() -> None:
    bench = Bench(Limits(partition_messages_max=4, batch_messages_max=1))
    bench.assign()
    bench.receive(*map(message, range(3)))
    assert bench.core.flow().pause == []
    bench.receive(message(3))
    assert bench.core.flow().pause == [PLACE]
    bench.step()
    assert bench.core.flow().resume == []
    bench.step()
    assert bench.core.flow().resume == [PLACE]


def test_partition_is_paused_at_its_share_of_bytes() -> None:
    bench = Bench(Limits(buffer_bytes_max=20_000))
    bench.assign(PLACE, OTHER)
    bench.receive(*(message(n, value=b"x" * 4_000) for n in range(2)))
    assert bench.core.flow().pause == [PLACE]
    bench.run()
    assert bench.core.flow().resume == [PLACE]


def test_partition_full_behind_a_held_message_comes_to_an_end() -> None:
    bench = Bench(Limits(partition_messages_max=3))
    bench.assign()
    bench.fails = only(SUSPECT, 0)
    bench.receive(*(message(n, "k") for n in range(3)))
    assert bench.core.flow().pause == [PLACE]
    bench.run()
    assert bench.core.flow().resume == [PLACE]
    assert bench.committed == {PLACE: 3}


def test_partitions_take_turns() -> None:
    bench = Bench(Limits(batch_messages_max=10))
    bench.assign(PLACE, OTHER)
    bench.receive(*map(message, range(100)), *(message(n, place=OTHER) for n in range(10)))
    bench.step()
    bench.step()
    assert len(bench.core._queues[OTHER]) == 0
