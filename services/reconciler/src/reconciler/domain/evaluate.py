"""What one booking's money says: clean, or what is wrong with it (REC-3 to REC-6)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from contracts.money import minor_units
from pricing import Quote, Snapshot, parse_snapshot, recompute
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.classify import DriftClass, drift_class, severity_of
from reconciler.domain.comparison import PriceComparison, compare_price
from reconciler.domain.findings import Finding, FindingType

DUPLICATE_CHARGES_MIN = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as a difference, and how long a payment may take.

    Attributes:
        drift_min: hundredths of the currency's unit; smaller differences are none (REC-4).
        grace: time from confirmation to the first charge (REC-5).
    """

    drift_min: int
    grace: timedelta

    def in_minor_units(self, currency: str) -> "Rules":
        """Return the rules with `drift_min` in minor units of a currency."""
        return replace(self, drift_min=minor_units(self.drift_min, currency))


@dataclass(frozen=True, slots=True)
class Amounts:
    """A, B and C of one booking, in minor units; C is 0 where nothing was charged."""

    currency: str
    snapshot: int
    recomputed: int
    charged: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcome for one booking; `amounts` is None where its figures cannot be added up."""

    booking_id: str
    outcome: Literal["clean", "drifted", "skipped"]
    findings: tuple[Finding, ...] = ()
    amounts: Amounts | None = None


def evaluate(booking: StoredBooking, rules: Rules, *, as_of: datetime) -> Evaluation:
    """Compare the stored price with the recomputed one and with what was charged.

    The snapshot is recomputed with its own rate card and engine. A first charge has the grace time; once
    anything was charged, it is compared at once, a deposit too. A booking without a snapshot is skipped.

    Raises:
        ValueError: the snapshot cannot be read or recomputed (REC-12); `pricing.PricingError` says why.
    """
    if booking.pricing is None:
        return Evaluation(booking.booking_id, "skipped")
    snapshot = parse_snapshot(json.loads(booking.pricing))
    quote = recompute(snapshot)
    if not booking.currency == snapshot.currency == quote.currency:
        findings = (_price_currency_finding(booking, snapshot, quote),)
        return Evaluation(booking.booking_id, "drifted", findings)
    comparison = compare_price(booking.total, snapshot, quote)
    findings = tuple(_findings(booking, comparison, rules.in_minor_units(booking.currency), as_of))
    amounts = Amounts(booking.currency, comparison.stored, comparison.recomputed, booking.charged or 0)
    return Evaluation(booking.booking_id, "drifted" if findings else "clean", findings, amounts)


def _findings(
    booking: StoredBooking, comparison: PriceComparison, rules: Rules, as_of: datetime
) -> Iterator[Finding]:
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
        charged = None  # explained: it says nothing more about the price
    found = _drift_class(comparison, charged, rules)
    if found is not None:
        yield _drift_finding(booking, comparison, found, charged)


def _is_duplicate(booking: StoredBooking, price: int, charged: int, rules: Rules) -> bool:
    """Several payments that make up the price twice or more; any other surplus is a charge mismatch."""
    return (
        booking.charge_count >= DUPLICATE_CHARGES_MIN
        and price >= rules.drift_min
        and charged - 2 * price > -rules.drift_min
    )


def _drift_class(comparison: PriceComparison, charged: int | None, rules: Rules) -> DriftClass | None:
    found = drift_class(
        comparison.stored,
        comparison.recomputed,
        charged,
        coherent=comparison.coherent,
        drift_min=rules.drift_min,
    )
    totals_drifted = abs(comparison.recomputed - comparison.stored) >= rules.drift_min
    if totals_drifted or comparison.damage < rules.drift_min:
        return found
    # Lines are damaged although every total is right: the snapshot is corrupt, whatever was charged.
    return "snapshot_corrupt" if found is None else "all_differ"


def _drift_finding(
    booking: StoredBooking, comparison: PriceComparison, found: DriftClass, charged: int | None
) -> Finding:
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
        found=found,
    )


def _finding(
    booking: StoredBooking,
    comparison: PriceComparison,
    kind: FindingType,
    *,
    size: int,
    charged: int | None,
    remarks: tuple[str, ...] = (),
    found: DriftClass | None = None,
) -> Finding:
    return Finding(
        booking_id=booking.booking_id,
        type=kind,
        drift_class=found,
        severity=severity_of(size, booking.currency),
        currency=booking.currency,
        snapshot=comparison.stored,
        recomputed=comparison.recomputed,
        charged=charged,
        lines=comparison.lines,
        remarks=remarks,
    )


def _price_currency_finding(booking: StoredBooking, snapshot: Snapshot, quote: Quote) -> Finding:
    """Amounts of different currencies have no difference: they are shown, not subtracted line by line."""
    remark = (
        f"the booking is in {booking.currency}, its snapshot in {snapshot.currency},"
        f" its rate card in {quote.currency}"
    )
    return Finding(
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
