"""The consuming core: what passes without effect, is done early, or others work on (decision 0013)."""

import gc
import weakref

import pytest

from chassis.errors import FailureKind
from unit.chassis.core_bench import PLACE, Bench, message, only

BUG, MALFORMED, TRANSIENT = FailureKind.BUG, FailureKind.MALFORMED, FailureKind.TRANSIENT


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.assign()
    return made


def test_what_is_done_behind_a_held_message_is_not_kept_in_memory(bench: Bench) -> None:
    bench.fails = only(TRANSIENT, 0)
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
    bench.fails, bench.has_effects = only(BUG, 3, 7), False
    for first in range(0, 4_000, 20):
        bench.receive(*(message(n) for n in range(first, first + 20)))
        bench.run(seconds_max=2.0)
    bench.run()
    assert bench.set_aside == [3, 7]
    assert bench.committed == {PLACE: 4_000}


def test_failures_for_passing_reasons_are_no_proof(bench: Bench) -> None:
    bench.fails, bench.has_effects = only(TRANSIENT, 0), False
    bench.receive(message(0), message(1))
    bench.run(seconds_max=400.0)
    bench.receive(message(2))
    bench.fails = only(BUG, 0)
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
    bench.fails = lambda _: BUG
    bench.receive(*(message(n) for n in range(20)))
    bench.run(seconds_max=5.0)
    bench.fails, bench.in_use = lambda _: None, {b"%d" % n for n in range(20)}
    before = len(bench.batches)
    bench.run(seconds_max=60.0)
    assert len(bench.batches) - before < 40
    bench.in_use = ()
    bench.run()
    assert bench.committed == {PLACE: 20}
