"""Evaluation of one booking's price and payments: clean, or findings (REC-3 to REC-6)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from contracts.money import minor_units
from pricing import Quote, Snapshot, parse_snapshot, recompute
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.cancelled import HeldMoney, held_money
from reconciler.domain.classify import DriftClass, drift_class, severity_of
from reconciler.domain.comparison import PriceComparison, compare_price
from reconciler.domain.price_findings import PriceFinding, PriceFindingType

DUPLICATE_CHARGES_MIN = 2

CLOCK_SKEW_MAX = timedelta(days=1)
"""The booking service writes no confirmation or cancellation further in the future than this."""

LIVE_STATUSES = ("confirmed", "in_progress", "completed")


class NotEvaluableError(ValueError):
    """The stored values contradict each other, so that nothing follows from them; the message says which."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for differences and for the time of payments.

    Attributes:
        drift_min: hundredths of the currency's unit; smaller differences do not count (REC-4).
        grace: time from confirmation to the first charge (REC-5), and from cancellation to the refund.
    """

    drift_min: int
    grace: timedelta

    def in_minor_units(self, currency: str) -> "Rules":
        """Return the rules with `drift_min` in minor units of a currency."""
        return replace(self, drift_min=minor_units(self.drift_min, currency))


@dataclass(frozen=True, slots=True)
class Amounts:
    """A, B and C of one booking, in minor units; C is 0 if nothing was charged."""

    currency: str
    snapshot: int
    recomputed: int
    charged: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcome for one booking.

    Attributes:
        held: money of a cancelled booking; None if it holds none, or within the grace time.
        amounts: None if the booking's amounts cannot be added up.
        is_cancelled: only the booking's money was evaluated, not its price.
    """

    booking_id: str
    outcome: Literal["clean", "drifted", "skipped"]
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
        ValueError: the booking cannot be evaluated (REC-12); `pricing.PricingError` says why its snapshot
            cannot be read or recomputed.
    """
    _refuse_contradictory_payments(booking)
    if booking.status == "cancelled":
        return _evaluate_cancelled(booking, rules, as_of)
    pricing = _pricing_of_live(booking, as_of)
    snapshot = parse_snapshot(json.loads(pricing))
    quote = recompute(snapshot)
    if not booking.currency == snapshot.currency == quote.currency:
        findings = (_price_currency_finding(booking, snapshot, quote),)
        return Evaluation(booking.booking_id, "drifted", findings)
    comparison = compare_price(booking.total, snapshot, quote)
    findings = tuple(_findings(booking, comparison, rules.in_minor_units(booking.currency), as_of))
    amounts = Amounts(booking.currency, comparison.stored, comparison.recomputed, booking.charged or 0)
    return Evaluation(booking.booking_id, "drifted" if findings else "clean", findings, amounts=amounts)


def _refuse_contradictory_payments(booking: StoredBooking) -> None:
    if booking.contradictory_payments:
        raise NotEvaluableError(
            f"payments: {booking.contradictory_payments} of {booking.charge_count} are negative,"
            " or refunded beyond what was captured"
        )


def _pricing_of_live(booking: StoredBooking, as_of: datetime) -> str:
    """Return the snapshot's text; raise NotEvaluableError if the row is not a live booking's."""
    if booking.status not in LIVE_STATUSES:
        raise NotEvaluableError(f"status: {booking.status[:80]!a} is none that a booking can have")
    if booking.pricing is None:
        raise NotEvaluableError(f"pricing: a booking that is {booking.status} has no snapshot")
    _refuse_future("confirmed_at", booking.due_at, as_of)
    return booking.pricing


def _refuse_future(name: str, moment: datetime, as_of: datetime) -> None:
    if moment - as_of > CLOCK_SKEW_MAX:
        raise NotEvaluableError(f"{name}: {moment:%Y-%m-%dT%H:%M:%SZ} lies in the future")


def _evaluate_cancelled(booking: StoredBooking, rules: Rules, as_of: datetime) -> Evaluation:
    if booking.cancelled_at is None:
        raise NotEvaluableError("cancelled_at: it is not known when the booking was cancelled")
    _refuse_future("cancelled_at", booking.cancelled_at, as_of)
    if booking.held <= 0:
        return Evaluation(booking.booking_id, "clean", is_cancelled=True)
    if as_of - booking.cancelled_at <= rules.grace:
        return Evaluation(booking.booking_id, "skipped", is_cancelled=True)
    held = held_money(booking, booking.cancelled_at)
    return Evaluation(booking.booking_id, "drifted", held=held, is_cancelled=True)


def _findings(
    booking: StoredBooking, comparison: PriceComparison, rules: Rules, as_of: datetime
) -> Iterator[PriceFinding]:
    price, charged = comparison.recomputed, booking.charged
    foreign = sorted(set(booking.payment_currencies) - {booking.currency})
    if foreign:
        charged = charged or None
        remark = f"the price is in {booking.currency}, payments are in {', '.join(foreign)}"
        yield _finding(
            booking, comparison, "currency_mismatch", size=price, charged=charged, remarks=(remark,)
        )
    elif charged is None and price >= rules.drift_min and as_of - booking.due_at > rules.grace:
        yield _finding(booking, comparison, "not_charged", size=price, charged=None)
    if charged is not None and _is_duplicate(booking, price, charged, rules):
        remark = f"{booking.charge_count} payments were captured"
        yield _finding(
            booking, comparison, "duplicate_charge", size=charged - price, charged=charged, remarks=(remark,)
        )
        charged = None  # explained, no evidence about the price any more
    kind = _drift_class(comparison, charged, rules)
    if kind is not None:
        yield _drift_finding(booking, comparison, kind, charged)


def _is_duplicate(booking: StoredBooking, price: int, charged: int, rules: Rules) -> bool:
    """Return True for several payments of twice the price or more; another surplus is a charge mismatch."""
    return (
        booking.charge_count >= DUPLICATE_CHARGES_MIN
        and price >= rules.drift_min
        and charged - 2 * price > -rules.drift_min
    )


def _drift_class(comparison: PriceComparison, charged: int | None, rules: Rules) -> DriftClass | None:
    kind = drift_class(
        comparison.stored,
        comparison.recomputed,
        charged,
        coherent=comparison.coherent,
        drift_min=rules.drift_min,
    )
    totals_drifted = abs(comparison.recomputed - comparison.stored) >= rules.drift_min
    if totals_drifted or comparison.damage < rules.drift_min:
        return kind
    # Lines are damaged and every total is right: the snapshot is corrupt, whatever was charged.
    return "snapshot_corrupt" if kind is None else "all_differ"


def _drift_finding(
    booking: StoredBooking, comparison: PriceComparison, kind: DriftClass, charged: int | None
) -> PriceFinding:
    price = comparison.recomputed
    size = max(
        abs(price - comparison.stored),
        abs(price - charged) if charged is not None else 0,
        comparison.damage,
    )
    return _finding(
        booking,
        comparison,
        "pricing_drift",
        size=size,
        charged=charged,
        remarks=comparison.remarks,
        drift=kind,
    )


def _finding(
    booking: StoredBooking,
    comparison: PriceComparison,
    kind: PriceFindingType,
    *,
    size: int,
    charged: int | None,
    remarks: tuple[str, ...] = (),
    drift: DriftClass | None = None,
) -> PriceFinding:
    return PriceFinding(
        booking_id=booking.booking_id,
        type=kind,
        drift_class=drift,
        severity=severity_of(size, booking.currency),
        currency=booking.currency,
        snapshot=comparison.stored,
        recomputed=comparison.recomputed,
        charged=charged,
        lines=comparison.lines,
        remarks=remarks,
    )


def _price_currency_finding(booking: StoredBooking, snapshot: Snapshot, quote: Quote) -> PriceFinding:
    # Amounts of different currencies are not subtracted line by line.
    remark = (
        f"the booking is in {booking.currency}, its snapshot in {snapshot.currency},"
        f" its rate card in {quote.currency}"
    )
    return PriceFinding(
        booking_id=booking.booking_id,
        type="currency_mismatch",
        drift_class=None,
        severity="high",
        currency=quote.currency,
        snapshot=booking.total,
        recomputed=quote.total,
        charged=booking.charged,
        lines=(),
        remarks=(remark,),
    )
