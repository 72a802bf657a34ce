"""The findings of a booking's price and charges, each made of booking and comparison."""

from typing import Any

from pricing import Quote, Snapshot
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.causes import Waiting
from reconciler.domain.charges import foreign_currencies
from reconciler.domain.classify import DriftClass, severity_of
from reconciler.domain.comparison import PriceComparison
from reconciler.domain.price_findings import Charge, PriceFinding, PriceFindingType


def price_currencies(booking: StoredBooking, snapshot: Snapshot, quote: Quote) -> PriceFinding:
    """Return the finding of a booking whose own prices are in different currencies."""
    currencies = (booking.currency, snapshot.currency, quote.currency)
    of_booking, of_snapshot, of_card = currencies
    remark = f"the booking is in {of_booking}, its snapshot in {of_snapshot}, its rate card in {of_card}"
    return PriceFinding(
        type="currency_mismatch",
        drift_class=None,
        severity="high",
        currency=quote.currency,
        snapshot=booking.total,
        recomputed=quote.total,
        charged=booking.charged,
        # Amounts of different currencies are not subtracted line by line.
        lines=(),
        remarks=(remark,),
        price_currencies=currencies,
        **_origin(booking, snapshot),
    )


def payment_currencies(
    booking: StoredBooking, comparison: PriceComparison, foreign: list[str], charged: int | None
) -> PriceFinding:
    """Return the finding of payments in other currencies than the price."""
    remark = f"the price is in {booking.currency}, payments are in {', '.join(foreign)}"
    size = comparison.recomputed
    return _finding(booking, comparison, "currency_mismatch", size, charged, remarks=(remark,))


def not_charged(booking: StoredBooking, comparison: PriceComparison, waiting: Waiting | None) -> PriceFinding:
    """Return the finding of a price of which nothing was charged."""
    return _finding(booking, comparison, "not_charged", comparison.recomputed, None, waiting=waiting)


def duplicate_charge(
    booking: StoredBooking, comparison: PriceComparison, charged: int, waiting: Waiting | None
) -> PriceFinding:
    """Return the finding of a price that was paid twice or more."""
    remark = f"{booking.charge_count} payments were captured"
    size = charged - comparison.recomputed
    return _finding(
        booking, comparison, "duplicate_charge", size, charged, remarks=(remark,), waiting=waiting
    )


def pricing_drift(
    booking: StoredBooking,
    comparison: PriceComparison,
    kind: DriftClass,
    charged: int | None,
    waiting: Waiting | None,
) -> PriceFinding:
    """Return the finding of stored, recomputed and charged amounts that differ."""
    price = comparison.recomputed
    charge_difference = 0 if charged is None else abs(price - charged)
    size = max(abs(price - comparison.stored), charge_difference, comparison.damage)
    return _finding(
        booking,
        comparison,
        "pricing_drift",
        size,
        charged,
        remarks=comparison.remarks,
        drift=kind,
        waiting=waiting,
    )


def _finding(
    booking: StoredBooking,
    comparison: PriceComparison,
    kind: PriceFindingType,
    size: int,
    charged: int | None,
    *,
    remarks: tuple[str, ...] = (),
    drift: DriftClass | None = None,
    waiting: Waiting | None = None,
) -> PriceFinding:
    return PriceFinding(
        type=kind,
        drift_class=drift,
        severity=severity_of(size, booking.currency),
        currency=booking.currency,
        snapshot=comparison.stored,
        recomputed=comparison.recomputed,
        charged=charged,
        lines=comparison.lines,
        remarks=remarks,
        damage=comparison.damage,
        waiting=waiting,
        **_origin(booking, comparison.snapshot),
    )


def _origin(booking: StoredBooking, snapshot: Snapshot) -> dict[str, Any]:
    """Return what every finding tells of its booking: versions of its price, and its money."""
    return {
        "booking_id": booking.booking_id,
        "rate_card": f"{snapshot.card_id}/{snapshot.card_version}",
        "engine": snapshot.engine_version,
        "charge": Charge(
            count=booking.charge_count,
            captured=booking.captured,
            refunded=booking.refunded - booking.lost,
            currencies=tuple(foreign_currencies(booking)),
            refund_pending=booking.refund_pending,
            disputed=booking.disputed,
            lost=booking.lost,
            open_anomalies=booking.open_anomalies,
            due_at=booking.due_at,
        ),
    }
