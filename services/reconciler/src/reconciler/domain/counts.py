"""Counts and sums of a page of bookings (REC-7)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.domain.evaluate import Amounts, Evaluation
from reconciler.domain.obstacles import Errored


@dataclass(frozen=True, slots=True)
class PageCounts:
    """scanned = clean + drifted + skipped + errored; `sums` has one entry per currency."""

    scanned: int
    clean: int
    drifted: int
    skipped: int
    errored: int
    sums: tuple[Amounts, ...]


@dataclass(frozen=True, slots=True)
class OutcomeSum:
    """Sums of a page over the bookings of one outcome and currency, in minor units.

    Attributes:
        drift: added up from the drifts of single bookings, not from the other sums.
    """

    outcome: str
    currency: str
    snapshot: int
    recomputed: int
    charged: int
    drift: int


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


def sum_by_outcome(evaluations: Sequence[Evaluation]) -> list[OutcomeSum]:
    """Return the sums of a page by outcome and currency, apart from `count_page`: one checks the other."""
    columns: dict[tuple[str, str], list[int]] = {}
    for evaluation in evaluations:
        if (amounts := evaluation.amounts) is None:
            continue
        column = columns.setdefault((evaluation.outcome, amounts.currency), [0, 0, 0, 0])
        column[0] += amounts.snapshot
        column[1] += amounts.recomputed
        column[2] += amounts.charged
        column[3] += amounts.recomputed - amounts.snapshot
    return [
        OutcomeSum(outcome, currency, snapshot, recomputed, charged, drift)
        for (outcome, currency), (snapshot, recomputed, charged, drift) in columns.items()
    ]


def _plus(one: Amounts | None, other: Amounts) -> Amounts:
    if one is None:
        return other
    return Amounts(
        one.currency,
        one.snapshot + other.snapshot,
        one.recomputed + other.recomputed,
        one.charged + other.charged,
    )
