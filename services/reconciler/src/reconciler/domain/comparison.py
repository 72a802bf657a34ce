"""Differences between a stored and a recomputed price, in every amount (REC-4, REC-6)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from msgspec import Struct

from contracts.money import Money
from pricing import Line, LineDifference, Quote, Snapshot, compare

STORED_TOTAL_CODE = "stored_total"
"""Code of the line for the difference between the stored total and the snapshot's total."""


class PriceComparison(Struct, frozen=True, gc=False):
    """Stored against recomputed, in minor units of one currency.

    A booking stores its total three times: in its own row, in the snapshot, and as the sum of the snapshot's
    lines. `stored` (A) is the total furthest from the recomputed one, so that damage to any of them shows.

    Attributes:
        stored: A.
        recomputed: B.
        coherent: True if the stored amounts agree with each other.
        damage: largest difference in any amount of a line; the totals may still be right.
        remarks: facts that the differences do not show, one sentence each.
        snapshot, quote: both prices, for the lines.
    """

    stored: int
    recomputed: int
    coherent: bool
    damage: int
    remarks: tuple[str, ...]
    snapshot: Snapshot
    quote: Quote

    @property
    def lines(self) -> tuple[LineDifference, ...]:
        """Return the lines of either price; their differences add up to recomputed - stored."""
        # `compare` explains the snapshot's total. The difference between A and that total is one more line.
        lines = compare(self.snapshot, self.quote)
        beyond = self.stored - self.snapshot.total
        return (*lines, LineDifference(STORED_TOTAL_CODE, beyond, 0, -beyond)) if beyond else lines


def is_exact(booking_total: int, snapshot: Snapshot, quote: Quote) -> bool:
    """Return True if every stored amount, quantity and text is the recomputed one."""
    return booking_total == snapshot.total == quote.total and snapshot.lines == quote.lines


def compare_price(booking_total: int, snapshot: Snapshot, quote: Quote) -> PriceComparison:
    """Compare the stored with the recomputed price. Both must be in the same currency."""
    price = quote.total
    sum_of_lines = sum(line.amount for line in snapshot.lines)
    totals = (booking_total, snapshot.total, sum_of_lines)
    currency = snapshot.currency
    deviations = list(_deviations(snapshot.lines, quote.lines, currency))
    return PriceComparison(
        stored=max(totals, key=lambda total: abs(price - total)),
        recomputed=price,
        coherent=len(set(totals)) == 1 and all(_adds_up(line) for line in snapshot.lines),
        damage=max((size for size, _ in deviations), default=0),
        remarks=(
            *_remarks_on_totals(*(Money(total, currency) for total in totals)),
            *(remark for _, remark in deviations),
        ),
        snapshot=snapshot,
        quote=quote,
    )


def _remarks_on_totals(booking_total: Money, snapshot_total: Money, sum_of_lines: Money) -> Iterator[str]:
    if booking_total != snapshot_total:
        yield f"the booking's total is {booking_total}, its snapshot's {snapshot_total}"
    if snapshot_total != sum_of_lines:
        yield f"the snapshot's total is {snapshot_total}, its lines add up to {sum_of_lines}"


def _deviations(
    stored: Sequence[Line], recomputed: Sequence[Line], currency: str
) -> Iterator[tuple[int, str]]:
    """Yield size and text of each line's largest wrong amount; n-th line of a code against n-th."""
    before, after = _by_code(stored), _by_code(recomputed)
    for code in before | after:
        for line, right in zip_longest(before[code], after[code], fillvalue=Line.of(code, "", 0, 0)):
            size = max(
                abs(line.amount - right.amount),
                abs(line.unit_amount - right.unit_amount),
                abs(line.quantity * line.unit_amount - right.amount),
            )
            if size:
                yield (
                    size,
                    f"line {code}: stored {_shown(line, currency)}, recomputed {_shown(right, currency)}",
                )


def _by_code(lines: Sequence[Line]) -> defaultdict[str, list[Line]]:
    grouped: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        grouped[line.code].append(line)
    return grouped


def _adds_up(line: Line) -> bool:
    return line.quantity * line.unit_amount == line.amount


def _shown(line: Line, currency: str) -> str:
    return f"{line.quantity} x {Money(line.unit_amount, currency)} = {Money(line.amount, currency)}"
