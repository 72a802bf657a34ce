"""What happened, in one or two sentences with amounts, for a person who reads them once."""

from collections.abc import Callable, Mapping
from datetime import UTC

from pricing import UNEXPLAINED_CODE
from reconciler.domain.comparison import STORED_TOTAL_CODE
from reconciler.domain.price_findings import PriceFinding


def sentence(finding: PriceFinding) -> str:
    """Return what a price finding tells, with what else is known about its money."""
    return " ".join((_SENTENCES[finding.kind](finding), *_about_money(finding)))


def _engine_drift(finding: PriceFinding) -> str:
    charged = "" if finding.charged is None else " and charged"
    return (
        f"{finding.money(finding.snapshot)} is stored{charged}, but rate card {finding.rate_card} with engine"
        f" {finding.engine} computes {finding.money(finding.recomputed)}:"
        f" {_apart(finding, finding.drift)}, {_where(finding)}."
    )


def _charge_mismatch(finding: PriceFinding) -> str:
    difference = (finding.charged or 0) - finding.recomputed
    what = "is missing" if difference < 0 else "is too much"
    return (
        f"The price is {finding.money(finding.recomputed)}, and {_charged(finding)}:"
        f" {finding.money(abs(difference))} {what}."
    )


def _snapshot_corrupt(finding: PriceFinding) -> str:
    price = finding.money(finding.recomputed)
    if not finding.drift:
        first, *others = finding.remarks
        more = f", and {len(others)} more" if others else ""
        return f"The stored total {price} is right, but not its lines: {first}{more}."
    charged = "" if finding.charged is None else " and charged"
    return (
        f"{price} was computed{charged}, but {finding.money(finding.snapshot)} is stored:"
        f" {_apart(finding, -finding.drift)}, {_where(finding)}."
    )


def _all_differ(finding: PriceFinding) -> str:
    return (
        f"{finding.money(finding.snapshot)} is stored, {finding.money(finding.recomputed)} is computed,"
        f" and {_charged(finding)}: at least two of these are wrong."
    )


def _not_charged(finding: PriceFinding) -> str:
    since = f"{finding.charge.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"The price of {finding.money(finding.recomputed)} is due since {since}, and nothing was charged."


def _duplicate_charge(finding: PriceFinding) -> str:
    surplus = finding.money((finding.charged or 0) - finding.recomputed)
    return (
        f"The price is {finding.money(finding.recomputed)}, and {_charged(finding)}"
        f" in {finding.charge.count} payments: {surplus} is too much."
    )


def _currency_mismatch(finding: PriceFinding) -> str:
    if finding.price_currencies is not None:
        booking, snapshot, card = finding.price_currencies
        return f"The booking is in {booking}, its snapshot in {snapshot} and its rate card in {card}."
    others = ", ".join(finding.charge.currencies)
    charged = "nothing" if finding.charged is None else str(finding.money(finding.charged))
    return (
        f"The price is {finding.money(finding.recomputed)}, but money came in {others};"
        f" {charged} was charged in {finding.currency}."
    )


_SENTENCES: Mapping[str, Callable[[PriceFinding], str]] = {
    "engine_drift": _engine_drift,
    "charge_mismatch": _charge_mismatch,
    "snapshot_corrupt": _snapshot_corrupt,
    "all_differ": _all_differ,
    "not_charged": _not_charged,
    "duplicate_charge": _duplicate_charge,
    "currency_mismatch": _currency_mismatch,
}


_PLACES = {
    STORED_TOTAL_CODE: "in the total of the booking's row",
    UNEXPLAINED_CODE: "in the snapshot's total, which is not the sum of its lines",
}


def _apart(finding: PriceFinding, difference: int) -> str:
    return f"{finding.money(abs(difference))} {'more' if difference > 0 else 'less'}"


def _where(finding: PriceFinding) -> str:
    """Return where a drift that is not zero lies."""
    differing = [line.code for line in finding.lines if line.difference]
    largest = finding.cause.line or ""
    place = _PLACES.get(largest, f"in line {largest}")
    return place if len(differing) == 1 else f"most of it {place}"


def _charged(finding: PriceFinding) -> str:
    charge = finding.charge
    charged = f"{finding.money(finding.charged or 0)} was charged"
    if not charge.refunded:
        return charged
    return f"{charged} ({finding.money(charge.captured)} captured, {finding.money(charge.refunded)} refunded)"


def _about_money(finding: PriceFinding) -> list[str]:
    """Return a sentence for each part of the money that is not simply charged."""
    charge = finding.charge
    about: list[str] = []
    if charge.refund_pending:
        about.append(f"A refund of {finding.money(charge.refund_pending)} is on its way and counts as made.")
    if charge.disputed:
        about.append(
            f"{finding.money(charge.disputed)} is held back by an open dispute and counts as charged."
        )
    if charge.lost:
        about.append(
            f"{finding.money(charge.lost)} was lost in a dispute, which has its own exception, and counts as"
            " charged."
        )
    if charge.open_anomalies:
        about.append(f"Payments of this booking have {charge.open_anomalies} open exceptions of their own.")
    return about
