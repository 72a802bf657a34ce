"""Counts and sums of a page of bookings (REC-7)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.domain.evaluate import Amounts, Evaluation


@dataclass(frozen=True, slots=True)
class Errored:
    """A booking that could not be evaluated; `error` is one line (REC-12)."""

    booking_id: str
    error: str


@dataclass(frozen=True, slots=True)
class PageCounts:
    """scanned = clean + drifted + skipped + errored; `sums` has one entry per currency."""

    scanned: int
    clean: int
    drifted: int
    skipped: int
    errored: int
    sums: tuple[Amounts, ...]


def count_page(evaluations: Sequence[Evaluation], errored: Sequence[Errored]) -> PageCounts:
    """Count a page and add up its amounts."""
    outcomes = Counter(evaluation.outcome for evaluation in evaluations)
    sums: dict[str, Amounts] = {}
    for amounts in (evaluation.amounts for evaluation in evaluations):
        if amounts is not None:
            sums[amounts.currency] = _plus(sums.get(amounts.currency), amounts)
    return PageCounts(
        scanned=len(evaluations) + len(errored),
        clean=outcomes["clean"],
        drifted=outcomes["drifted"],
        skipped=outcomes["skipped"],
        errored=len(errored),
        sums=tuple(sums.values()),
    )


def _plus(one: Amounts | None, other: Amounts) -> Amounts:
    if one is None:
        return other
    return Amounts(
        one.currency,
        one.snapshot + other.snapshot,
        one.recomputed + other.recomputed,
        one.charged + other.charged,
    )
