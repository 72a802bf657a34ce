"""Evaluation of one booking's price and payments: clean, or findings (REC-3 to REC-6)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Literal

from msgspec import Struct

from reconciler.domain import price_problems
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.cancelled import HeldMoney, held_money
from reconciler.domain.charges import compared_charge, foreign_currencies, is_duplicate, waiting_of_charge
from reconciler.domain.classify import DriftClass, drift_class
from reconciler.domain.comparison import PriceComparison, compare_price, is_exact
from reconciler.domain.contradictions import (
    disagreement_of_sums,
    refuse_contradictions,
    refuse_payment_status,
)
from reconciler.domain.obstacles import NotEvaluableError
from reconciler.domain.price_findings import PriceFinding
from reconciler.domain.prices import read_prices
from reconciler.domain.rules import Rules

Outcome = Literal["clean", "drifted", "skipped"]


class Amounts(Struct, frozen=True, gc=False):
    """A, B and C of one booking, in minor units; C is 0 if nothing was charged."""

    currency: str
    snapshot: int
    recomputed: int
    charged: int


class Evaluation(Struct, frozen=True, gc=False):
    """The outcome for one booking.

    Attributes:
        outcome: clean, also while the first charge has time; skipped if all that is wrong waits for money.
        held: money of a cancelled booking; None if it holds none.
        amounts: None if the booking's amounts cannot be added up.
        is_cancelled: only the booking's money was evaluated, not its price.
    """

    booking_id: str
    outcome: Outcome
    findings: tuple[PriceFinding, ...] = ()
    held: HeldMoney | None = None
    amounts: Amounts | None = None
    is_cancelled: bool = False


def evaluate(booking: StoredBooking, rules: Rules, *, as_of: datetime) -> Evaluation:
    """Compare the stored price with the recomputed one and with the charged amount.

    The snapshot is recomputed with its own rate card and engine. The first charge has the grace time; every
    charge, also a deposit, is compared at once. A cancelled booking has no price: only the money that it
    holds counts, and the booking is skipped within the grace time.

    Raises:
        NotEvaluableError: the stored values contradict each other, or the snapshot cannot be read or
            recomputed (REC-12).
    """
    refuse_contradictions(booking, as_of=as_of)
    disagreement = disagreement_of_sums(booking)
    if booking.status == "cancelled":
        if disagreement is not None:
            raise disagreement
        return _evaluate_cancelled(booking, rules, as_of)
    snapshot, quote = read_prices(booking)
    if not booking.currency == snapshot.currency == quote.currency:
        finding = price_problems.price_currencies(booking, snapshot, quote)
        return Evaluation(booking.booking_id, "drifted", (finding,))
    price = quote.total
    if is_exact(booking.total, snapshot, quote) and _is_charged_exactly(booking, price):
        # Most bookings: no other rule can find anything.
        if disagreement is not None:
            raise disagreement
        refuse_payment_status(booking)
        amounts = Amounts(booking.currency, price, price, price)
        return Evaluation(booking.booking_id, "clean", (), None, amounts)
    comparison = compare_price(booking.total, snapshot, quote)
    charged = booking.charged or 0
    amounts = Amounts(booking.currency, comparison.stored, comparison.recomputed, charged)
    findings = tuple(_findings(booking, comparison, rules.in_minor_units(booking.currency), as_of))
    if disagreement is not None:
        findings = _with_disagreement(findings, disagreement)
    return Evaluation(booking.booking_id, _outcome(findings), findings, amounts=amounts)


def _with_disagreement(
    findings: tuple[PriceFinding, ...], disagreement: NotEvaluableError
) -> tuple[PriceFinding, ...]:
    """Return findings that also say that the booking's sums are wrong. Such money is not waited for.

    Raises:
        NotEvaluableError: nothing else is wrong.
    """
    if not findings:
        raise disagreement
    return tuple(
        replace(finding, waiting=None, remarks=(*finding.remarks, str(disagreement))) for finding in findings
    )


def _is_charged_exactly(booking: StoredBooking, price: int) -> bool:
    return (
        booking.captured - booking.refunded == price > 0
        and booking.lost == 0
        and booking.payment_currencies == (booking.currency,)
    )


def _outcome(findings: tuple[PriceFinding, ...]) -> Outcome:
    waiting = {finding.waiting for finding in findings}
    if None in waiting:
        return "drifted"
    return "skipped" if waiting & {"refund", "money"} else "clean"


def _evaluate_cancelled(booking: StoredBooking, rules: Rules, as_of: datetime) -> Evaluation:
    cancelled_at = booking.cancelled_at
    if cancelled_at is None or booking.held <= 0:
        return Evaluation(booking.booking_id, "clean", is_cancelled=True)
    waits = as_of - cancelled_at <= rules.grace
    held = held_money(booking, cancelled_at, "refund" if waits else None)
    return Evaluation(booking.booking_id, "skipped" if waits else "drifted", held=held, is_cancelled=True)


def _findings(
    booking: StoredBooking, comparison: PriceComparison, rules: Rules, as_of: datetime
) -> Iterator[PriceFinding]:
    price, charged = comparison.recomputed, compared_charge(booking)
    if foreign := foreign_currencies(booking):
        charged = charged or None
        yield price_problems.payment_currencies(booking, comparison, foreign, charged)
    elif charged is None and price >= rules.drift_min:
        yield price_problems.not_charged(
            booking, comparison, waiting_of_charge(booking, price, charged, rules, as_of)
        )
    if charged is not None and is_duplicate(booking, price, charged, rules.drift_min):
        yield price_problems.duplicate_charge(
            booking, comparison, charged, waiting_of_charge(booking, price, charged, rules, as_of)
        )
        charged = None  # explained, no evidence about the price any more
    kind = _drift_class(comparison, charged, rules.drift_min)
    if kind is not None:
        # A wrong price does not wait for money.
        waits_for_money = kind == "charge_mismatch"
        waiting = waiting_of_charge(booking, price, charged, rules, as_of) if waits_for_money else None
        yield price_problems.pricing_drift(booking, comparison, kind, charged, waiting)


def _drift_class(comparison: PriceComparison, charged: int | None, drift_min: int) -> DriftClass | None:
    kind = drift_class(
        comparison.stored,
        comparison.recomputed,
        charged,
        coherent=comparison.coherent,
        drift_min=drift_min,
    )
    totals_drifted = abs(comparison.recomputed - comparison.stored) >= drift_min
    if totals_drifted or comparison.damage < drift_min:
        return kind
    # Lines are damaged and every total is right: the snapshot is corrupt, whatever was charged.
    return "snapshot_corrupt" if kind is None else "all_differ"
