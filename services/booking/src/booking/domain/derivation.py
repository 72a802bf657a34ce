"""Derivation of payments from facts: one pure function of the set of facts (BK-7).

Copies, order of arrival and late facts cannot change the result: the state of an object is the furthest one
that any of its facts reports, and every choice between facts goes by what they say.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from booking.domain.facts import Fact, Kind, State
from booking.domain.money_objects import CAPTURED, Objects, by_time, group_by_object, in_state
from booking.domain.payment_ids import PaymentIds
from booking.domain.payments import Payment, PaymentState
from booking.domain.returned_money import sum_disputes, sum_refunds, unreplaced_refunds
from contracts.currencies import NO_CURRENCY
from contracts.ids import booking_id_of
from contracts.money import Money

# Kinds whose amount is the captured one, the most exact first.
_CAPTURING = (Kind.ENTRY, Kind.INTENT, Kind.CHARGE, Kind.SESSION, Kind.INVOICE)
# Kinds that can name a booking, in order of preference.
_NAMING = (Kind.ENTRY, Kind.INTENT, Kind.SESSION, Kind.INVOICE, Kind.CHARGE, Kind.REFUND, Kind.DISPUTE)


def derive_payments(facts: Iterable[Fact]) -> tuple[Payment, ...]:
    """Return the payments that a set of facts tells of, by id.

    The set must be closed: with a fact it contains all facts that share an id with it. A payment without
    captured money is `pending`, `failed` or `canceled`; refunds and disputes that came before their payment
    wait in it.
    """
    groups: dict[tuple[str, str], set[Fact]] = defaultdict(set)
    distinct = set(facts)
    ids = PaymentIds(distinct)
    for fact in distinct:
        payment_ids = ids.of(fact)
        # Several payments share an invoice that was paid in parts: none of them is its whole amount.
        shared = fact if len(payment_ids) == 1 else replace(fact, amount=None)
        for payment_id in payment_ids:
            groups[fact.provider, payment_id].add(shared)
    return tuple(
        payment
        for (provider, key), group in sorted(groups.items(), key=lambda item: item[0])
        if (payment := _payment(provider, key, group)) is not None
    )


def _payment(provider: str, key: str, facts: Collection[Fact]) -> Payment | None:
    objects = group_by_object(facts)
    if not _is_payment(objects):
        return None
    capture = _capture(objects)
    state = _state(objects, capture)
    amount = None if capture is None else capture.amount
    captured = Money(0, _currency(facts)) if amount is None else amount
    if state is not PaymentState.SUCCEEDED:
        captured = Money(0, captured.currency)
    refunds = sum_refunds(objects, captured.currency)
    refunded = min(refunds.refunded, captured.amount)
    lost = min(sum_disputes(objects, State.LOST, captured), captured.amount - refunded)
    rest = captured.amount - refunded - lost
    references = _references(facts)
    return Payment(
        provider=provider,
        payment_id=key,
        state=state,
        booking_reference=references[0] if references else None,
        captured=captured,
        refunded=refunded,
        refund_pending=min(refunds.pending, refunded),
        disputed=min(sum_disputes(objects, State.OPEN, captured), rest),
        lost=lost,
        is_out_of_band=bool(in_state(objects, Kind.INVOICE, State.OUT_OF_BAND)),
        failed_refunds=unreplaced_refunds(objects, rest),
        lost_disputes=tuple(item.latest.object_id for item in in_state(objects, Kind.DISPUTE, State.LOST)),
        conflicts=_conflicts(objects, capture, references),
        event_id=(capture or min(facts, key=by_time)).event_id,
        reason=_failure(objects) if state is PaymentState.FAILED else None,
        object_ids=frozenset(identifier for fact in facts for identifier in fact.ids),
    )


def _is_payment(objects: Objects) -> bool:
    """Return False for links alone, and for a session that had nothing to pay."""
    kinds = {kind for kind, items in objects.items() if items}
    if kinds == {Kind.SESSION}:
        return not in_state(objects, Kind.SESSION, State.NOTHING_DUE)
    return kinds != {Kind.INVOICE_PAYMENT}


def _capture(objects: Objects) -> Fact | None:
    """Return the fact that tells of the captured money: of the most exact kind, the earliest."""
    captures: list[Fact] = []
    for kind in _CAPTURING:
        reports = [item.first_captured for item in objects[kind]]
        captures += sorted((fact for fact in reports if fact is not None), key=by_time)
    # A paid invoice or session of nothing does not hide the money of its charge.
    with_money = (fact for fact in captures if fact.amount is not None and fact.amount.amount)
    return next(with_money, captures[0] if captures else None)


def _state(objects: Objects, capture: Fact | None) -> PaymentState:
    if in_state(objects, Kind.ENTRY, State.REVERSED):
        return PaymentState.CANCELED
    if capture is not None:
        return PaymentState.SUCCEEDED
    for kind in (Kind.INTENT, Kind.SESSION, Kind.INVOICE, Kind.CHARGE):
        states = {item.latest.state for item in objects[kind]}
        if State.FAILED in states:
            return PaymentState.FAILED
        if states & {State.CANCELED, State.EXPIRED}:
            return PaymentState.CANCELED
        if states:
            return PaymentState.PENDING
    return PaymentState.PENDING


def _failure(objects: Objects) -> str | None:
    for kind in (Kind.INTENT, Kind.CHARGE, Kind.SESSION, Kind.INVOICE):
        for item in in_state(objects, kind, State.FAILED):
            if item.latest.reason is not None:
                return item.latest.reason
    return None


def _currency(facts: Collection[Fact]) -> str:
    priced = [fact for fact in facts if fact.amount is not None]
    amount = min(priced, key=by_time).amount if priced else None
    return NO_CURRENCY if amount is None else amount.currency


def _references(facts: Collection[Fact]) -> list[str]:
    """Return the bookings that the objects name, each once, the most reliable first."""
    naming = sorted(
        (fact for fact in facts if fact.booking_reference is not None and fact.kind in _NAMING),
        key=lambda fact: (
            booking_id_of(fact.booking_reference or "") is None,
            _NAMING.index(fact.kind),
            by_time(fact),
        ),
    )
    return list(
        dict.fromkeys(fact.booking_reference for fact in naming if fact.booking_reference is not None)
    )


def _conflicts(objects: Objects, capture: Fact | None, references: Sequence[str]) -> tuple[str, ...]:
    """Return in one sentence each what the facts contradict each other about."""
    bookings = [reference for reference in references if booking_id_of(reference) is not None]
    conflicts: list[str] = []
    if len(bookings) > 1:
        conflicts.append(
            f"its objects name the bookings {', '.join(bookings)}; it counts for the first of them"
        )
    if capture is not None:
        same_kind = (fact for item in objects[capture.kind] for fact in item.facts)
        amounts = {fact.amount for fact in same_kind if fact.state in CAPTURED and fact.amount is not None}
        others = sorted(str(amount) for amount in amounts if amount != capture.amount)
        if others:
            conflicts.append(
                f"reported first as {capture.amount}, later as {', '.join(others)}; the first one stands"
            )
    return tuple(conflicts)
