"""Counts and sums of a page of bookings (REC-7)."""

from collections import Counter, defaultdict
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
    outcomes = Counter([evaluation.outcome for evaluation in evaluations])
    known = [evaluation.amounts for evaluation in evaluations if evaluation.amounts is not None]
    currencies = dict.fromkeys([amounts.currency for amounts in known])
    return PageCounts(
        scanned=len(evaluations) + len(errored),
        clean=outcomes["clean"],
        drifted=outcomes["drifted"],
        skipped=outcomes["skipped"],
        errored=len(errored),
        sums=tuple(_sum_of(currency, known) for currency in currencies),
    )


def _sum_of(currency: str, known: Sequence[Amounts]) -> Amounts:
    # Lists are the quickest: a page has thousands of amounts, nearly always in one currency.
    own = [amounts for amounts in known if amounts.currency == currency]
    return Amounts(
        currency,
        sum([amounts.snapshot for amounts in own]),
        sum([amounts.recomputed for amounts in own]),
        sum([amounts.charged for amounts in own]),
    )


def sum_by_outcome(evaluations: Sequence[Evaluation]) -> list[OutcomeSum]:
    """Return the sums of a page by outcome and currency, apart from `count_page`: one checks the other."""
    columns: defaultdict[tuple[str, str], list[Amounts]] = defaultdict(list)
    for evaluation in evaluations:
        if (amounts := evaluation.amounts) is not None:
            columns[evaluation.outcome, amounts.currency].append(amounts)
    return [
        OutcomeSum(
            outcome,
            currency,
            snapshot=sum([each.snapshot for each in column]),
            recomputed=sum([each.recomputed for each in column]),
            charged=sum([each.charged for each in column]),
            drift=sum([each.recomputed - each.snapshot for each in column]),
        )
        for (outcome, currency), column in columns.items()
    ]
