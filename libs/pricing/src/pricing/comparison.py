"""Differences between a stored price and the recomputed one, line by line (REC-4, REC-6)."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.money import CurrencyMismatchError
from pricing.quotes import Line, Quote
from pricing.snapshots import Snapshot

# The line for the part of a stored total that its own lines do not explain.
UNEXPLAINED_CODE = "total_not_sum_of_lines"


@dataclass(frozen=True, slots=True)
class LineDifference:
    """One line of both prices in minor units; a price without the line counts as zero.

    difference = recomputed_amount - snapshot_amount, as drift is (REC-4).
    """

    code: str
    snapshot_amount: int
    recomputed_amount: int
    difference: int


def agrees(stored: Snapshot, recomputed: Quote) -> bool:
    """Return True if both prices are equal in currency, total and every field of every line.

    A changed quantity beside an unchanged amount, which amounts alone do not show, is a difference.
    """
    return (
        stored.total == recomputed.total
        and stored.lines == recomputed.lines
        and stored.currency == recomputed.currency
    )


def compare(stored: Snapshot, recomputed: Quote) -> tuple[LineDifference, ...]:
    """Return every line of either price, equal ones included, in stored order first.

    The differences add up to recomputed.total - stored.total whatever the stored numbers are: a stored
    total that is not the sum of its lines gets a line UNEXPLAINED_CODE.

    Raises:
        CurrencyMismatchError: the prices are in different currencies.
    """
    if stored.currency != recomputed.currency:
        raise CurrencyMismatchError(
            f"currency: the snapshot is in {stored.currency!a}, its rate card in {recomputed.currency!a}"
        )
    before = _amounts_by_code(stored.lines)
    unexplained = stored.total - sum(before.values())
    if unexplained:
        before[UNEXPLAINED_CODE] = before.get(UNEXPLAINED_CODE, 0) + unexplained
    after = _amounts_by_code(recomputed.lines)
    return tuple(_difference(code, before.get(code, 0), after.get(code, 0)) for code in before | after)


def _amounts_by_code(lines: Iterable[Line]) -> dict[str, int]:
    # A damaged snapshot may hold a code twice, so amounts are added up.
    amounts: dict[str, int] = {}
    for line in lines:
        amounts[line.code] = amounts.get(line.code, 0) + line.amount
    return amounts


def _difference(code: str, before: int, after: int) -> LineDifference:
    return LineDifference(code, before, after, after - before)
