"""Each checker finds the violation it is there for, and is silent about a sound system."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.checkers import check_all
from faults.history import History, Line, Outcome, read_history
from faults.plan import DUPLICATES_SHARE, FORGED_SHARE, POISON_SHARE, Op, Size, booking_name, make_plan
from faults.snapshot import (
    BookingRow,
    Entry,
    Kept,
    Leaf,
    PaymentRow,
    Published,
    SealedLog,
    SetAsideRow,
    Snapshot,
    Step,
)
from integration.audit.sealed_log import EMPTY, root_of

B = "018f0000-0000-7000-8000-000000000001"
NAME = booking_name(0)


def line(op: Op, id_: str, outcome: Outcome, status: int | None = 200) -> Line:
    return Line(1.0, 0.5, op, id_, NAME, outcome, status)


def steps(*statuses: str) -> tuple[Step, ...]:
    before = (None, *statuses)
    return tuple(Step(B, n + 1, before[n], status, "stripe") for n, status in enumerate(statuses))


def leaf(index: int) -> Leaf:
    return Leaf(
        index, 10 + index, b'{"entry_id":%d,"payload_digest":"%02x"}' % (10 + index, index), f"{index:02x}"
    )


def log_of(size: int) -> SealedLog:
    leaves = tuple(leaf(n) for n in range(size))
    sizes = (0, 1, 4, size)
    kept = [Kept(f"file {n}", n, root_of([each.sealed for each in leaves[:n]])) for n in sizes]
    return SealedLog(leaves, tuple(kept))


HISTORY = History(
    (
        line(Op.CREATE, "create-0", Outcome.OK, 201),
        line(Op.PAID, "evt_paid", Outcome.INFO, None),
        line(Op.PAID, "evt_paid", Outcome.OK),
        line(Op.POISON, "evt_bad", Outcome.OK),
        line(Op.FORGED, "evt_forged", Outcome.FAIL, 401),
        line(Op.SMS, "ev_sms", Outcome.FAIL, 503),
        line(Op.SMS, "ev_sms", Outcome.OK),
        line(Op.BEGIN, "evt_begin", Outcome.OK),
        line(Op.CANCEL, "evt_cancel", Outcome.FAIL, 409),
    )
)
SOUND = Snapshot(
    entries=(
        Entry("stripe", "evt_paid", "stripe.payment_intent.succeeded", B),
        Entry("stripe", "evt_bad", "stripe.payment_intent.succeeded", None),
        Entry("sms", "ev_sms", "sms.message.received", None),
        *(Entry("booking", f"e{n}", "booking.status-changed", B) for n in range(1, 5)),
    ),
    bookings=(BookingRow(B, NAME, "in_progress", 4, 100),),
    steps=steps("pending", "confirmed", "in_progress"),
    audited_steps=steps("pending", "confirmed", "in_progress"),
    reasons=frozenset({"evt_begin"}),
    payments=(PaymentRow("evt_paid", B, 100, None),),
    set_aside=(SetAsideRow("evt_bad", "malformed", "amount_received"),),
    published=tuple(Published(B, n, f"e{n}", 0, n) for n in range(1, 5)),
    log=log_of(7),
)


def test_sound_system_has_no_violation() -> None:
    assert check_all(HISTORY, SOUND) == []


Plant = Callable[[Snapshot], Snapshot]
PLANTED: dict[str, Plant] = {
    "lost deliveries": lambda s: replace(s, entries=s.entries[1:]),
    "phantom deliveries": lambda s: replace(s, entries=(*s.entries, Entry("stripe", "evt_forged", "", None))),
    "deliveries logged twice": lambda s: replace(s, entries=(*s.entries, s.entries[0])),
    "lost bookings": lambda s: replace(s, bookings=()),
    "phantom bookings": lambda s: replace(
        s, bookings=(*s.bookings, BookingRow("b", "client-000009", "pending", 1, 0))
    ),
    "bookings made twice": lambda s: replace(s, bookings=(*s.bookings, replace(s.bookings[0], id="b"))),
    "lost changes": lambda s: replace(s, steps=s.steps[:2]),
    "phantom changes": lambda s: replace(s, reasons=s.reasons | {"evt_cancel"}),
    "histories with a gap": lambda s: replace(s, steps=(s.steps[0], *s.steps[2:])),
    "histories with an illegal step": lambda s: replace(
        s, steps=(*s.steps, Step(B, 4, "in_progress", "pending", "ops"))
    ),
    "bookings that stand elsewhere": lambda s: replace(
        s, bookings=(replace(s.bookings[0], status="confirmed"),)
    ),
    "steps that audit has not": lambda s: replace(s, audited_steps=s.audited_steps[1:]),
    "steps that only audit has": lambda s: replace(s, steps=s.steps[:-1]),
    "lost payments": lambda s: replace(s, payments=()),
    "phantom payments": lambda s: replace(s, payments=(*s.payments, PaymentRow("evt_forged", B, 5, None))),
    "payments counted twice": lambda s: replace(s, payments=(*s.payments, s.payments[0])),
    "sums that differ": lambda s: replace(s, bookings=(replace(s.bookings[0], captured=200),)),
    "anomalies": lambda s: replace(s, payments=(replace(s.payments[0], anomaly="currency_mismatch"),)),
    "outbox": lambda s: replace(s, outbox_rows=1),
    "poison that was not set aside": lambda s: replace(s, set_aside=()),
    "set aside without need": lambda s: replace(
        s, set_aside=(*s.set_aside, SetAsideRow("evt_paid", "bug", "KeyError"))
    ),
    "bookings with a version missing": lambda s: replace(s, published=s.published[:2] + s.published[3:]),
    "versions stand out of order": lambda s: replace(
        s, published=(*s.published[1:], replace(s.published[0], offset=9))
    ),
    "lost events": lambda s: replace(s, entries=s.entries[:-1]),
    "entries that are not sealed": lambda s: replace(s, log=replace(s.log, unsealed=frozenset({17}))),
    "entries sealed twice": lambda s: replace(
        s, log=replace(s.log, leaves=(*s.log.leaves, replace(s.log.leaves[0], index=7)))
    ),
    "gaps between leaves": lambda s: replace(s, log=replace(s.log, leaves=s.log.leaves[1:])),
    "leaves that say something else": lambda s: replace(
        s, log=replace(s.log, leaves=(replace(s.log.leaves[0], digest="ff"), *s.log.leaves[1:]))
    ),
    "checkpoints that the log does not lead to: 1 (topic/3 at 4": lambda s: replace(
        s, log=replace(s.log, checkpoints=(*s.log.checkpoints, Kept("topic/3", 4, EMPTY)))
    ),
    "checkpoints that the log does not lead to: 1 (file 7 at 7": lambda s: replace(
        s, log=replace(s.log, leaves=s.log.leaves[:-1])
    ),
    "events logged twice": lambda s: replace(s, entries=(*s.entries, s.entries[-1])),
}


@pytest.mark.parametrize("what", PLANTED)
def test_planted_violation_is_found(what: str) -> None:
    assert any(what in violation for violation in check_all(HISTORY, PLANTED[what](SOUND)))


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("forgeries accepted", line(Op.FORGED, "evt_forged", Outcome.OK)),
        ("answers 5xx", line(Op.SMS, "ev_sms", Outcome.INFO, 500)),
    ],
)
def test_false_answer_is_found(what: str, told: Line) -> None:
    history = History((*HISTORY.lines, told))
    assert any(what in violation for violation in check_all(history, SOUND))


def test_republished_older_version_before_the_newest_copy_is_in_order() -> None:
    twice = tuple(replace(record, offset=record.offset + 10) for record in SOUND.published[1:])
    assert check_all(HISTORY, replace(SOUND, published=SOUND.published + twice)) == []


def test_timed_out_delivery_may_be_there_or_not() -> None:
    history = History((*HISTORY.lines, line(Op.FAILED, "evt_late", Outcome.INFO, None)))
    there = replace(SOUND, entries=(*SOUND.entries, Entry("stripe", "evt_late", "", B)))
    assert check_all(history, SOUND) == check_all(history, there) == []


def test_change_answered_503_may_be_there_or_not() -> None:
    history = History((*HISTORY.lines, line(Op.COMPLETE, "evt_done", Outcome.FAIL, 503)))
    assert check_all(history, replace(SOUND, reasons=SOUND.reasons | {"evt_done"})) == []


def test_history_survives_its_file(tmp_path: Path) -> None:
    HISTORY.write(tmp_path / "history.jsonl")
    assert read_history(tmp_path / "history.jsonl") == HISTORY


@given(seed=st.integers(0, 2**31), deliveries=st.integers(200, 600))
def test_plan_of_a_seed_is_one_plan_with_its_shares(seed: int, deliveries: int) -> None:
    size = Size(bookings=20, deliveries=deliveries)
    plan = make_plan(seed, size)
    assert plan == make_plan(seed, size)
    sent = [each for each in plan if each.op not in {Op.CREATE, Op.CANCEL, Op.BEGIN, Op.COMPLETE}]
    counts = [sum(each.op is op for each in sent) for op in (Op.POISON, Op.FORGED)]
    assert counts == [max(1, round(deliveries * s)) for s in (POISON_SHARE, FORGED_SHARE)]
    assert len(sent) - len({each.id for each in sent}) == max(1, round(deliveries * DUPLICATES_SHARE))
    assert len(sent) - (len(sent) - len({each.id for each in sent})) == deliveries


@given(seed=st.integers(0, 2**31))
def test_booking_is_made_before_anything_is_about_it(seed: int) -> None:
    made: set[int | None] = {None}
    for operation in make_plan(seed, Size(bookings=30, deliveries=300)):
        if operation.op is Op.CREATE:
            made.add(operation.booking)
        assert operation.booking in made
