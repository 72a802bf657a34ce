"""The state machine by situation: the next steps after each outcome (design rule 6)."""

import pytest

from chassis.consuming.limits import Limits
from chassis.consuming.steps import ApplyBatch, LastAttempt, Wait
from chassis.messaging.failures import FailureKind
from unit.chassis.consuming.driver import PARTITION, Driver, message, only

SUSPECT, MALFORMED, STORE = FailureKind.SUSPECT, FailureKind.MALFORMED, FailureKind.STORE
OTHER = ("t", 1)


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    made.assign()
    return made


# --- batch, then bisect -------------------------------------------------------------------------


def test_messages_are_applied_in_one_batch_and_committed(driver: Driver) -> None:
    driver.receive(*map(message, range(500)))
    driver.run()
    assert driver.batches == [list(range(500))]
    assert driver.committed == {PARTITION: 500}


def test_one_bad_message_among_500_costs_few_transactions(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 321)
    driver.receive(*map(message, range(500)))
    driver.run()
    assert driver.set_aside == [321]
    assert sorted(driver.applied) == [n for n in range(500) if n != 321]
    assert len(driver.batches) < 40


def test_batch_holds_no_more_bytes_than_its_limit_and_a_larger_message_goes_alone() -> None:
    driver = Driver(Limits(batch_bytes_max=5_000))
    driver.assign()
    driver.receive(*(message(n, value=b"x" * size) for n, size in enumerate([1_000, 1_000, 9_000, 10])))
    driver.run()
    assert driver.batches == [[0, 1], [2], [3]]


def test_batches_grow_again_though_no_message_has_an_effect(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 0)
    driver.receive(*(message(n) for n in range(8)))
    driver.run()
    driver.receive(*(message(n) for n in range(8, 900)))
    sizes = []
    while isinstance(step := driver.machine.next_step(driver.now), ApplyBatch):
        sizes.append(len(step.entries))
        driver.machine.record_applied(step, effects=0, no_room=[], now=driver.now)
    assert len(sizes) < 12


# --- blocked, then set aside ---------------------------------------------------------------------


def test_message_that_fails_blocks_its_key_and_others_continue(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 1)
    keys = ["a", "b", "a", "b", "c"]
    driver.receive(*(message(n, key) for n, key in enumerate(keys)))
    while driver.step() != Wait(None) and not driver.set_aside:
        assert 3 not in driver.applied
    assert {0, 2, 4} <= set(driver.applied)
    driver.run()
    assert driver.applied[-1] == 3
    assert driver.committed == {PARTITION: 5}


def test_bug_is_set_aside_only_after_another_message_was_applied_since(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 0, 1)
    driver.receive(message(0), message(1))
    for _ in range(12):
        driver.step()
    assert driver.set_aside == []
    driver.receive(message(2))
    driver.run(3.0)
    assert sorted(driver.set_aside) == [0, 1]


def test_bug_is_tried_as_often_as_its_limit_says(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 0)
    driver.receive(*map(message, range(40)))
    driver.run()
    assert driver.batches.count([0]) == Limits().suspect_attempts_max


def test_duplicates_prove_nothing(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 0)
    driver.receive(*map(message, range(3)))
    for _ in range(12):
        step = driver.machine.next_step(driver.now)
        assert not isinstance(step, LastAttempt)
        if isinstance(step, Wait):
            driver.now = step.until or driver.now
        elif any(one.offset == 0 for one in step.messages):
            driver.machine.record_failed(step, SUSPECT, "bug", driver.now)
        else:
            driver.machine.record_applied(step, effects=0, no_room=[], now=driver.now)


def test_second_lone_message_in_a_row_waits_for_a_proof(driver: Driver) -> None:
    """With little traffic, a failed dependency would otherwise set aside one message after the other."""
    driver.fails = only(SUSPECT, 0, 1)
    driver.receive(message(0))
    driver.run()
    driver.receive(message(1))
    driver.run(120)
    assert driver.set_aside == [0]
    assert driver.machine.problem(driver.now)
    driver.receive(message(2))
    driver.run(60)
    assert driver.set_aside == [0, 1]


def test_few_messages_that_all_fail_are_blocked_and_none_is_set_aside(driver: Driver) -> None:
    driver.fails = only(SUSPECT, *range(5))
    driver.receive(*map(message, range(5)))
    driver.run(120)
    assert driver.set_aside == []
    driver.fails = lambda _: None
    driver.run(60)
    assert sorted(driver.applied) == list(range(5))


def test_lone_message_is_set_aside_after_a_while(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 0)
    driver.receive(message(0))
    driver.run()
    assert driver.set_aside == [0]
    assert len(driver.batches) == Limits().lone_attempts_max


def test_malformed_message_is_set_aside_at_once(driver: Driver) -> None:
    driver.fails = only(MALFORMED, 0)
    driver.receive(message(0))
    driver.step()
    assert isinstance(driver.machine.next_step(driver.now), LastAttempt)
    driver.run()
    assert driver.batches == [[0], [0]]


@pytest.mark.parametrize(("kind", "attempts"), [(SUSPECT, Limits().lone_attempts_max - 1), (MALFORMED, 1)])
def test_message_is_tried_before_the_attempt_that_may_set_it_aside(
    kind: FailureKind, attempts: int, driver: Driver
) -> None:
    driver.fails = only(kind, 0)
    driver.receive(message(0))
    while not isinstance(step := driver.machine.next_step(driver.now), LastAttempt):
        driver.step()
    assert (step.entry.kind, step.entry.attempts) == (kind, attempts)


# --- breaker (F23) ------------------------------------------------------------------------------


def test_failure_of_everything_opens_the_breaker_within_ten_messages(
    driver: Driver,
) -> None:
    driver.fails = lambda _: SUSPECT
    driver.receive(*map(message, range(600)))
    began = driver.now
    while "breaker" not in driver.machine.problem(driver.now):
        driver.step()
    assert driver.now - began < 5
    assert len({batch[0] for batch in driver.batches if len(batch) == 1}) == Limits().row_failures_max
    tried = len(driver.batches)
    for _ in range(40):
        driver.step()
    probes = [batch[0] for batch in driver.batches[tried:]]
    assert all(len(batch) == 1 for batch in driver.batches[tried:])
    assert len(set(probes)) == len(probes) > 10, "each probe is another message"
    assert driver.set_aside == []
    driver.fails = lambda _: None
    driver.run()
    assert sorted(driver.applied) == list(range(600))
    assert (driver.set_aside, driver.committed) == ([], {PARTITION: 600})
    assert driver.machine.problem(driver.now) == ""


def test_open_breaker_probes_a_blocked_message_if_there_is_no_new_one(driver: Driver) -> None:
    driver.fails = lambda _: SUSPECT
    driver.receive(*map(message, range(10)))
    driver.run(3_600)
    assert "breaker" in driver.machine.problem(driver.now)
    assert driver.set_aside == []
    driver.fails = lambda _: None
    driver.run()
    assert sorted(driver.applied) == list(range(10))


def test_open_breaker_sets_nothing_aside_though_others_succeeded_before_it_opened() -> None:
    driver = Driver(Limits(row_failures_max=2))
    driver.assign()
    driver.fails = only(SUSPECT, 0)
    driver.receive(message(0), message(1))
    while driver.applied != [1]:
        driver.step()
    driver.fails = lambda _: SUSPECT
    driver.receive(message(2), message(3))
    driver.run(3_600)
    assert "breaker" in driver.machine.problem(driver.now)
    assert driver.batches.count([0]) > Limits().suspect_attempts_max
    assert driver.set_aside == []
    driver.fails = only(SUSPECT, 0)
    driver.run()
    assert (driver.set_aside, driver.machine.problem(driver.now)) == ([0], "")


def test_duplicate_does_not_close_the_breaker(driver: Driver) -> None:
    driver.fails = lambda _: SUSPECT
    driver.receive(*map(message, range(600)))
    while not isinstance(
        step := driver.machine.next_step(driver.now), ApplyBatch
    ) or "breaker" not in driver.machine.problem(0):
        driver.step()
    driver.machine.record_applied(step, effects=0, no_room=[], now=driver.now)
    assert "breaker" in driver.machine.problem(driver.now)


def test_probes_become_rare(driver: Driver) -> None:
    driver.fails = lambda _: SUSPECT
    driver.receive(*map(message, range(600)))
    driver.run(600)
    assert len(driver.batches) < 70


def test_dense_flood_of_malformed_messages_ends(driver: Driver) -> None:
    driver.fails = lambda one: MALFORMED if one.offset % 3 else None
    driver.receive(*map(message, range(900)))
    driver.run(60)
    assert driver.committed == {PARTITION: 900}
    assert len(driver.set_aside) == 600


def test_nothing_but_malformed_messages_opens_the_breaker_too(driver: Driver) -> None:
    driver.fails = lambda _: MALFORMED
    driver.receive(*map(message, range(500)))
    driver.run(60)
    assert "breaker" in driver.machine.problem(driver.now)
    assert 90 < len(driver.set_aside) < 120


# --- failures of the database -------------------------------------------------------------------


def test_outage_sets_nothing_aside_and_is_tried_ever_more_rarely(driver: Driver) -> None:
    driver.fails = lambda _: STORE
    driver.receive(*map(message, range(100)))
    driver.step()
    assert isinstance(driver.machine.next_step(driver.now), Wait), "a deadlock is over after a moment"
    driver.run(3_600)
    assert (driver.set_aside, driver.applied, driver.committed) == ([], [], {})
    assert len(driver.batches) < 3_600 / 4
    driver.fails = lambda _: None
    driver.run()
    assert sorted(driver.applied) == list(range(100))


def test_message_that_keeps_failing_is_blocked_and_others_continue(driver: Driver) -> None:
    driver.fails = only(STORE, 7)
    driver.receive(*map(message, range(500)))
    driver.run(120)
    assert sorted(driver.applied) == [n for n in range(500) if n != 7]
    assert driver.committed == {PARTITION: 7}
    assert driver.set_aside == []


def test_transient_failure_while_bisecting_makes_batches_smaller(driver: Driver) -> None:
    driver.fails = lambda one: {3: STORE, 50: SUSPECT}.get(one.offset)
    driver.receive(*map(message, range(64)))
    step = driver.machine.next_step(driver.now)
    assert isinstance(step, ApplyBatch)
    driver.machine.record_failed(step, SUSPECT, "bug", driver.now)  # 50 was reached first
    driver.run(60)
    assert sorted(driver.applied) == [n for n in range(64) if n not in (3, 50)]


# --- no room, and no dead letters ---------------------------------------------------------------


def test_no_room_behind_a_key_halts_its_partition_until_there_is(driver: Driver) -> None:
    driver.assign(PARTITION, OTHER)
    driver.full = {1}
    driver.receive(*map(message, range(3)), message(100, partition=OTHER))
    driver.run(20)
    assert (driver.applied.count(1), driver.committed) == (0, {PARTITION: 1, OTHER: 101})
    assert "no room" in driver.machine.problem(driver.now - 1)
    driver.receive(message(101, partition=OTHER))
    driver.step()
    assert 101 in driver.applied, "the other partition continues"
    driver.full = ()
    driver.run()
    assert driver.committed == {PARTITION: 3, OTHER: 102}


def test_partition_without_room_is_left_alone_for_a_while(driver: Driver) -> None:
    driver.full = {0}
    driver.receive(message(0), message(1))
    driver.step()
    assert isinstance(driver.machine.next_step(driver.now), Wait)


@pytest.mark.parametrize("keeps", [False, None])
def test_message_that_cannot_be_set_aside_does_not_pass(*, keeps: bool | None, driver: Driver) -> None:
    driver.assign(PARTITION, OTHER)
    driver.fails, driver.keeps = only(MALFORMED, 0), keeps
    driver.receive(message(0), message(1, partition=OTHER))
    driver.run(20)
    assert driver.committed == {OTHER: 2}
    assert driver.machine.problem(driver.now - 1)
    driver.keeps = True
    driver.run()
    assert driver.committed == {PARTITION: 1, OTHER: 2}


def test_other_keys_continue_while_a_message_cannot_be_set_aside(driver: Driver) -> None:
    driver.fails, driver.keeps = only(MALFORMED, 0), None
    driver.receive(*map(message, range(50)))
    driver.run(20)
    assert len(driver.applied) == 49


# --- assignments --------------------------------------------------------------------------------


def test_outcome_after_its_partition_was_revoked_does_not_count(driver: Driver) -> None:
    driver.receive(message(0), message(1))
    step = driver.machine.next_step(driver.now)
    assert isinstance(step, ApplyBatch)
    driver.machine.revoke([PARTITION])
    driver.machine.record_applied(step, effects=2, no_room=[], now=driver.now)
    assert driver.machine.partitions.offsets_to_commit() == {}


@pytest.mark.parametrize("outcome", ["applied", "failed"])
def test_outcome_of_an_earlier_assignment_does_not_count(outcome: str, driver: Driver) -> None:
    driver.receive(message(0), message(1))
    step = driver.machine.next_step(driver.now)
    assert isinstance(step, ApplyBatch)
    driver.machine.revoke([PARTITION])
    driver.assign()
    driver.receive(message(0), message(1))
    if outcome == "applied":
        driver.machine.record_applied(step, effects=2, no_room=[], now=driver.now)
    else:
        driver.machine.record_failed(step, SUSPECT, "bug", driver.now)
    assert driver.machine.partitions.offsets_to_commit() == {}
    driver.run()
    assert (driver.applied, driver.committed) == ([0, 1], {PARTITION: 2})


def test_last_attempt_under_an_earlier_assignment_is_forgotten(driver: Driver) -> None:
    driver.fails = only(MALFORMED, 0)
    driver.receive(message(0))
    driver.step()
    last_attempt = driver.machine.next_step(driver.now)
    assert isinstance(last_attempt, LastAttempt)
    driver.machine.revoke([PARTITION])
    driver.assign()
    driver.receive(message(0), message(1))
    assert isinstance(driver.machine.next_step(driver.now), ApplyBatch)
    driver.machine.record_set_aside(last_attempt, MALFORMED, kept=True, now=driver.now)
    assert driver.machine.partitions.offsets_to_commit() == {}


def test_blocked_message_of_a_revoked_partition_is_forgotten(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 0)
    driver.receive(message(0))
    driver.step()
    driver.machine.revoke([PARTITION])
    assert driver.machine.next_step(driver.now + 60) == Wait(None)


def test_records_of_a_partition_that_is_not_assigned_are_ignored(driver: Driver) -> None:
    driver.receive(message(0, partition=OTHER))
    assert driver.step() == Wait(None)


def test_offsets_that_start_again_are_accepted(driver: Driver) -> None:
    driver.receive(message(700))
    driver.run()
    driver.receive(message(0), message(1))  # the topic was recreated
    driver.run()
    assert (driver.applied, driver.committed) == ([700, 0, 1], {PARTITION: 2})


# --- offsets and back-pressure ------------------------------------------------------------------


def test_offset_passes_only_when_all_before_it_is_done(driver: Driver) -> None:
    driver.fails = only(STORE, 2)
    driver.receive(*map(message, range(5)))
    driver.run(30)
    assert driver.committed == {PARTITION: 2}
    driver.fails = lambda _: None
    driver.run()
    assert driver.committed == {PARTITION: 5}


def test_offsets_without_a_record_for_us_pass_behind_the_messages_before_them(driver: Driver) -> None:
    """Transaction markers and aborted records: the client reports its position."""
    driver.receive(message(0), message(1))
    assert not driver.machine.partitions.record_read_to(PARTITION, 5), "two messages are not done"
    assert driver.machine.partitions.offsets_to_commit() == {}
    driver.run()
    assert driver.committed == {PARTITION: 5}
    assert driver.machine.partitions.record_read_to(PARTITION, 9)
    assert driver.machine.partitions.offsets_to_commit() == {PARTITION: 9}
    assert driver.machine.partitions.backlog()[PARTITION] == (9, None)


def test_committed_offset_is_not_committed_twice(driver: Driver) -> None:
    driver.receive(message(0))
    driver.run()
    assert driver.machine.partitions.offsets_to_commit() == {}


def test_partition_is_paused_at_its_count_and_resumed_at_half_of_it() -> None:
    driver = Driver(Limits(partition_messages_max=4, batch_messages_max=1))
    driver.assign()
    driver.receive(*map(message, range(3)))
    assert driver.machine.partitions.flow_change().pause == []
    driver.receive(message(3))
    assert driver.machine.partitions.flow_change().pause == [PARTITION]
    driver.step()
    assert driver.machine.partitions.flow_change().resume == []
    driver.step()
    assert driver.machine.partitions.flow_change().resume == [PARTITION]


def test_partition_is_paused_at_its_share_of_bytes() -> None:
    driver = Driver(Limits(buffer_bytes_max=20_000))
    driver.assign(PARTITION, OTHER)
    driver.receive(*(message(n, value=b"x" * 4_000) for n in range(2)))
    assert driver.machine.partitions.flow_change().pause == [PARTITION]
    driver.run()
    assert driver.machine.partitions.flow_change().resume == [PARTITION]


def test_partition_full_behind_a_blocked_message_recovers() -> None:
    driver = Driver(Limits(partition_messages_max=3))
    driver.assign()
    driver.fails = only(SUSPECT, 0)
    driver.receive(*(message(n, "k") for n in range(3)))
    assert driver.machine.partitions.flow_change().pause == [PARTITION]
    driver.run()
    assert driver.machine.partitions.flow_change().resume == [PARTITION]
    assert driver.committed == {PARTITION: 3}


def test_partitions_take_turns() -> None:
    driver = Driver(Limits(batch_messages_max=10))
    driver.assign(PARTITION, OTHER)
    driver.receive(*map(message, range(100)), *(message(n, partition=OTHER) for n in range(10)))
    driver.step()
    driver.step()
    assert len(driver.machine.partitions._queues[OTHER]) == 0
