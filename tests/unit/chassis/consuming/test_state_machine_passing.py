"""The consuming core: what passes without effect, is done early, or others work on (decision 0032)."""

import gc
import weakref

import pytest

from chassis.consuming.steps import Apply, SetAside
from chassis.messaging.failures import FailureKind
from unit.chassis.consuming.core_bench import PLACE, Bench, message, only

SUSPECT, MALFORMED, STORE = FailureKind.SUSPECT, FailureKind.MALFORMED, FailureKind.STORE


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.assign()
    return made


def test_what_is_done_behind_a_held_message_is_not_kept_in_memory(bench: Bench) -> None:
    bench.fails = only(STORE, 0)
    messages = [message(n) for n in range(50)]
    bench.receive(*messages)
    bench.run(seconds_max=60.0)
    assert bench.applied == list(range(1, 50))
    alive = [weakref.ref(one) for one in messages]
    del messages
    gc.collect()
    assert [n for n, one in enumerate(alive) if one() is not None] == [0]
    bench.fails = lambda _: None
    bench.run()
    assert bench.committed == {PLACE: 50}


# --- where few messages have effects ------------------------------------------------------------


def test_second_bad_message_is_set_aside_though_nothing_that_passes_has_an_effect(bench: Bench) -> None:
    bench.fails, bench.has_effects = only(SUSPECT, 3, 7), False
    for first in range(0, 4_000, 20):
        bench.receive(*(message(n) for n in range(first, first + 20)))
        bench.run(seconds_max=2.0)
    bench.run()
    assert bench.set_aside == [3, 7]
    assert bench.committed == {PLACE: 4_000}


def test_failures_for_passing_reasons_are_no_proof(bench: Bench) -> None:
    bench.fails, bench.has_effects = only(STORE, 0), False
    bench.receive(message(0), message(1))
    bench.run(seconds_max=400.0)
    bench.receive(message(2))
    bench.fails = only(SUSPECT, 0)
    bench.run(seconds_max=18.0)
    assert bench.set_aside == []


def test_few_malformed_among_many_without_effect_stop_nothing(bench: Bench) -> None:
    bench.fails, bench.has_effects = lambda one: MALFORMED if one.offset % 50 == 0 else None, False
    for first in range(0, 10_000, 500):
        bench.receive(*(message(n) for n in range(first, first + 500)))
        bench.run()
    assert len(bench.set_aside) == 200
    assert bench.committed == {PLACE: 10_000}
    assert not bench.core.trouble(bench.now)


# --- lines that somebody else works on ----------------------------------------------------------


def test_line_in_use_waits_in_order_and_others_go_on(bench: Bench) -> None:
    bench.in_use = {b"k"}
    bench.receive(*(message(n, "k" if n < 3 else "") for n in range(6)))
    bench.run(seconds_max=5.0)
    assert bench.applied == [3, 4, 5]
    assert not bench.core.trouble(bench.now)
    bench.in_use = ()
    bench.run()
    assert bench.applied == [3, 4, 5, 0, 1, 2]
    assert bench.committed == {PLACE: 6}


def test_line_that_comes_free_between_two_attempts_keeps_its_order(bench: Bench) -> None:
    bench.in_use = {b"k"}
    bench.receive(*(message(n, "k") for n in range(3)))
    while len(bench.batches) < 2:
        bench.step()
    bench.in_use = ()
    bench.run()
    assert bench.applied == [0, 1, 2]


def test_many_lines_in_use_do_not_keep_the_others_out(bench: Bench) -> None:
    bench.in_use = {b"%d" % n for n in range(200)}
    bench.receive(*(message(n) for n in range(200)))
    bench.run(seconds_max=1.0)
    bench.receive(*(message(n) for n in range(200, 260)))
    bench.run(seconds_max=0.2)
    assert bench.applied == list(range(200, 260))


def test_open_breaker_does_not_spin_on_a_line_in_use(bench: Bench) -> None:
    bench.fails = lambda _: SUSPECT
    bench.receive(*(message(n) for n in range(20)))
    bench.run(seconds_max=5.0)
    bench.fails, bench.in_use = lambda _: None, {b"%d" % n for n in range(20)}
    before = len(bench.batches)
    bench.run(seconds_max=60.0)
    assert len(bench.batches) - before < 40
    bench.in_use = ()
    bench.run()
    assert bench.committed == {PLACE: 20}


# --- rows that another session has locked -------------------------------------------------------


@pytest.mark.parametrize("is_foreseen", [True, False])
def test_locked_rows_put_off_their_own_keys_and_all_others_are_applied_at_once(
    *, is_foreseen: bool, bench: Bench
) -> None:
    locked = {b"7", b"60", b"199"}
    setattr(bench, "locked" if is_foreseen else "locked_unseen", locked)
    bench.receive(*(message(n) for n in range(200)))
    began = bench.now
    while len(bench.applied) < 197:
        bench.step()
    assert bench.now - began < (0.1 if is_foreseen else 2.0)
    bench.receive(message(200))
    bench.run(seconds_max=0.2)
    assert bench.applied[-1] == 200
    assert not bench.core.trouble(bench.now)
    bench.run(seconds_max=15)
    waiting = [entry.message.key for entry in bench.core.in_use(bench.now, seconds_min=10.0)]
    assert {*waiting} == locked
    bench.locked = bench.locked_unseen = ()
    bench.run()
    assert bench.committed == {PLACE: 201}
    assert bench.set_aside == []


def test_earlier_message_of_a_key_is_applied_before_a_later_one_that_meets_a_lock(bench: Bench) -> None:
    """Two messages of one key may need different rows."""
    bench.receive(message(0, "k"), message(1, "k"), message(2, "k"))
    step = bench.core.next_step(bench.now)
    assert isinstance(step, Apply)
    bench.core.failed(step, FailureKind.BUSY, "row locked", bench.now, in_use=step.messages[1:])
    bench.run()
    assert bench.applied == [0, 1, 2]


# --- faults of the store ------------------------------------------------------------------------


def test_fault_of_the_store_sets_nothing_aside_and_is_over_soon_after_it_is_mended(bench: Bench) -> None:
    bench.fails = lambda _: STORE
    bench.receive(*(message(n) for n in range(100)))
    bench.run(seconds_max=60)
    assert "breaker" in bench.core.trouble(bench.now)
    bench.fails = lambda _: None
    bench.run(seconds_max=7)
    assert (sorted(bench.applied), bench.set_aside) == (list(range(100)), [])
    assert not bench.core.trouble(bench.now)


def test_suspect_is_not_set_aside_by_an_attempt_that_meets_a_fault_of_the_store(bench: Bench) -> None:
    bench.fails = only(SUSPECT, 0)
    bench.receive(message(0), message(1), message(2))
    while not isinstance(bench.core.next_step(bench.now), SetAside):
        bench.step()
    bench.fails = only(STORE, 0)
    bench.run(seconds_max=60)
    assert (bench.set_aside, bench.committed) == ([], {})
    assert "cannot set a message aside" in bench.core.trouble(bench.now)
    bench.fails = lambda _: None
    bench.run()
    assert (sorted(bench.applied), bench.committed) == ([0, 1, 2], {PLACE: 3})


def test_one_message_that_the_store_refuses_is_found_without_long_waits(bench: Bench) -> None:
    bench.fails = only(STORE, 321)
    bench.receive(*(message(n) for n in range(500)))
    began = bench.now
    while len(bench.applied) < 499:
        bench.step()
    assert bench.now - began < 3
    bench.run(seconds_max=600)
    assert bench.core.trouble(bench.now)
    assert bench.set_aside == []
