"""The state machine: messages without effect, locks, and failures of the database (decision 0032)."""

import gc
import weakref

import pytest

from chassis.consuming.steps import ApplyBatch, LastAttempt
from chassis.messaging.failures import FailureKind
from unit.chassis.consuming.driver import PARTITION, Driver, message, only

SUSPECT, MALFORMED, STORE = FailureKind.SUSPECT, FailureKind.MALFORMED, FailureKind.STORE


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    made.assign()
    return made


def test_messages_done_behind_a_blocked_one_are_not_kept_in_memory(driver: Driver) -> None:
    driver.fails = only(STORE, 0)
    messages = [message(n) for n in range(50)]
    driver.receive(*messages)
    driver.run(seconds_max=60.0)
    assert driver.applied == list(range(1, 50))
    alive = [weakref.ref(one) for one in messages]
    del messages
    gc.collect()
    assert [n for n, one in enumerate(alive) if one() is not None] == [0]
    driver.fails = lambda _: None
    driver.run()
    assert driver.committed == {PARTITION: 50}


# --- where few messages have effects ------------------------------------------------------------


def test_second_bad_message_is_set_aside_though_nothing_that_passes_has_an_effect(driver: Driver) -> None:
    driver.fails, driver.has_effects = only(SUSPECT, 3, 7), False
    for first in range(0, 4_000, 20):
        driver.receive(*(message(n) for n in range(first, first + 20)))
        driver.run(seconds_max=2.0)
    driver.run()
    assert driver.set_aside == [3, 7]
    assert driver.committed == {PARTITION: 4_000}


def test_failures_for_passing_reasons_are_no_proof(driver: Driver) -> None:
    driver.fails, driver.has_effects = only(STORE, 0), False
    driver.receive(message(0), message(1))
    driver.run(seconds_max=400.0)
    driver.receive(message(2))
    driver.fails = only(SUSPECT, 0)
    driver.run(seconds_max=18.0)
    assert driver.set_aside == []


def test_few_malformed_among_many_without_effect_stop_nothing(driver: Driver) -> None:
    driver.fails, driver.has_effects = lambda one: MALFORMED if one.offset % 50 == 0 else None, False
    for first in range(0, 10_000, 500):
        driver.receive(*(message(n) for n in range(first, first + 500)))
        driver.run()
    assert len(driver.set_aside) == 200
    assert driver.committed == {PARTITION: 10_000}
    assert not driver.machine.problem(driver.now)


# --- keys that another session works on ---------------------------------------------------------


def test_key_in_use_waits_in_order_and_others_continue(driver: Driver) -> None:
    driver.in_use = {b"k"}
    driver.receive(*(message(n, "k" if n < 3 else "") for n in range(6)))
    driver.run(seconds_max=5.0)
    assert driver.applied == [3, 4, 5]
    assert not driver.machine.problem(driver.now)
    driver.in_use = ()
    driver.run()
    assert driver.applied == [3, 4, 5, 0, 1, 2]
    assert driver.committed == {PARTITION: 6}


def test_key_that_is_released_between_two_attempts_keeps_its_order(driver: Driver) -> None:
    driver.in_use = {b"k"}
    driver.receive(*(message(n, "k") for n in range(3)))
    while len(driver.batches) < 2:
        driver.step()
    driver.in_use = ()
    driver.run()
    assert driver.applied == [0, 1, 2]


def test_many_keys_in_use_do_not_keep_the_others_out(driver: Driver) -> None:
    driver.in_use = {b"%d" % n for n in range(200)}
    driver.receive(*(message(n) for n in range(200)))
    driver.run(seconds_max=1.0)
    driver.receive(*(message(n) for n in range(200, 260)))
    driver.run(seconds_max=0.2)
    assert driver.applied == list(range(200, 260))


def test_open_breaker_does_not_spin_on_a_key_in_use(driver: Driver) -> None:
    driver.fails = lambda _: SUSPECT
    driver.receive(*(message(n) for n in range(20)))
    driver.run(seconds_max=5.0)
    driver.fails, driver.in_use = lambda _: None, {b"%d" % n for n in range(20)}
    before = len(driver.batches)
    driver.run(seconds_max=60.0)
    assert len(driver.batches) - before < 40
    driver.in_use = ()
    driver.run()
    assert driver.committed == {PARTITION: 20}


# --- rows that another session has locked -------------------------------------------------------


@pytest.mark.parametrize("is_foreseen", [True, False])
def test_locked_rows_delay_only_their_own_keys(*, is_foreseen: bool, driver: Driver) -> None:
    locked = {b"7", b"60", b"199"}
    setattr(driver, "locked" if is_foreseen else "locked_unseen", locked)
    driver.receive(*(message(n) for n in range(200)))
    began = driver.now
    while len(driver.applied) < 197:
        driver.step()
    assert driver.now - began < (0.1 if is_foreseen else 2.0)
    driver.receive(message(200))
    driver.run(seconds_max=0.2)
    assert driver.applied[-1] == 200
    assert not driver.machine.problem(driver.now)
    driver.run(seconds_max=15)
    waiting = [entry.message.key for entry in driver.machine.blocked.in_use(driver.now, seconds_min=10.0)]
    assert {*waiting} == locked
    driver.locked = driver.locked_unseen = ()
    driver.run()
    assert driver.committed == {PARTITION: 201}
    assert driver.set_aside == []


def test_earlier_message_of_a_key_is_applied_before_a_later_one_that_meets_a_lock(driver: Driver) -> None:
    """Two messages of one key may need different rows."""
    driver.receive(message(0, "k"), message(1, "k"), message(2, "k"))
    step = driver.machine.next_step(driver.now)
    assert isinstance(step, ApplyBatch)
    driver.machine.record_failed(step, FailureKind.BUSY, "row locked", driver.now, in_use=step.messages[1:])
    driver.run()
    assert driver.applied == [0, 1, 2]


# --- failures of the database -------------------------------------------------------------------


def test_failure_of_the_database_sets_nothing_aside_and_ends_soon_after_repair(driver: Driver) -> None:
    driver.fails = lambda _: STORE
    driver.receive(*(message(n) for n in range(100)))
    driver.run(seconds_max=60)
    assert "breaker" in driver.machine.problem(driver.now)
    driver.fails = lambda _: None
    driver.run(seconds_max=7)
    assert (sorted(driver.applied), driver.set_aside) == (list(range(100)), [])
    assert not driver.machine.problem(driver.now)


def test_suspect_is_not_set_aside_by_an_attempt_that_meets_a_failure_of_the_database(driver: Driver) -> None:
    driver.fails = only(SUSPECT, 0)
    driver.receive(message(0), message(1), message(2))
    while not isinstance(driver.machine.next_step(driver.now), LastAttempt):
        driver.step()
    driver.fails = only(STORE, 0)
    driver.run(seconds_max=60)
    assert (driver.set_aside, driver.committed) == ([], {})
    assert "cannot set a message aside" in driver.machine.problem(driver.now)
    driver.fails = lambda _: None
    driver.run()
    assert (sorted(driver.applied), driver.committed) == ([0, 1, 2], {PARTITION: 3})


def test_one_message_that_the_database_refuses_is_found_without_long_pauses(driver: Driver) -> None:
    driver.fails = only(STORE, 321)
    driver.receive(*(message(n) for n in range(500)))
    began = driver.now
    while len(driver.applied) < 499:
        driver.step()
    assert driver.now - began < 3
    driver.run(seconds_max=600)
    assert driver.machine.problem(driver.now)
    assert driver.set_aside == []
