"""A booking as it was at a version or a moment, and the difference of two such states (BK-14)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from booking.domain.funds import PaymentStatus
from booking.domain.statuses import OPERATOR_TRANSITIONS, TRANSITIONS, Status
from contracts.ids import BookingId
from contracts.money import Money

AsOf = int | datetime
"""A version, or a moment with its offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """State of a booking as one transaction left it.

    Attributes:
        id: increases within the booking.
        version: of the booking. Changes by hand-written SQL may leave several revisions of one version.
        written_by: the database role that made the change.
        pricing: the snapshot as stored, without the reason of an override; None without one.
        payments: payments of the booking, by id.
        is_first_known: True for the state found when revisions began; older states are not known.
    """

    id: int
    booking_id: BookingId
    version: int
    recorded_at: datetime
    written_by: str
    status: Status
    payment_status: PaymentStatus
    total: Money
    captured: int
    refunded: int
    pricing: Mapping[str, Any] | None
    payments: Sequence[Mapping[str, Any]]
    is_first_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDifference:
    """A field with other values in the two states."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDifference:
    """A price line that was added, removed or changed; amounts in minor units, 0 where there is no line."""

    change: str
    code: str
    before: int
    after: int

    @property
    def difference(self) -> int:
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDifference:
    """Differences of the lines and of what the lines do not explain; they add up to `difference`.

    Attributes:
        difference: total after minus total before, in minor units of `currency`.
        lines: lines that differ.
        other: part that no line explains, such as an override or a total changed by hand-written SQL.
    """

    currency: str
    difference: int
    lines: tuple[LineDifference, ...]
    other: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Difference of two revisions. `price` is None if the currency changed: amounts do not compare."""

    fields: tuple[FieldDifference, ...]
    price: PriceDifference | None


def compare(before: Revision, after: Revision) -> Differences:
    """Return what differs between two revisions of one booking."""
    names = ("status", "payment_status", "total", "captured", "refunded", "payments")
    fields = tuple(
        FieldDifference(field=name, before=getattr(before, name), after=getattr(after, name))
        for name in names
        if getattr(before, name) != getattr(after, name)
    )
    if before.total.currency != after.total.currency:
        return Differences(fields=fields, price=None)
    return Differences(fields=fields, price=_compare_prices(before, after))


def _compare_prices(before: Revision, after: Revision) -> PriceDifference:
    old, new = _lines(before.pricing), _lines(after.pricing)
    lines = tuple(
        LineDifference(
            change="added" if key not in old else "removed" if key not in new else "changed",
            code=key[0],
            before=old.get(key, 0),
            after=new.get(key, 0),
        )
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    )
    difference = after.total.amount - before.total.amount
    explained = sum(line.difference for line in lines)
    return PriceDifference(
        currency=after.total.currency, difference=difference, lines=lines, other=difference - explained
    )


def _lines(pricing: Mapping[str, Any] | None) -> dict[tuple[str, int], int]:
    """Return the amounts of a snapshot's lines by code and number among lines of one code.

    A snapshot may have been damaged: what is no line counts as none, and its amount as not explained.
    """
    amounts: dict[tuple[str, int], int] = {}
    for item in _items(pricing):
        amount, code = item.get("amount"), str(item.get("code", ""))
        if type(amount) is int:
            number = sum(1 for known, _ in amounts if known == code)
            amounts[code, number] = amount
    return amounts


def _items(pricing: object) -> list[Mapping[str, Any]]:
    if not isinstance(pricing, dict):
        return []
    items = cast("Mapping[str, object]", pricing).get("line_items")
    if not isinstance(items, list):
        return []
    return [cast("Mapping[str, Any]", item) for item in cast("list[object]", items) if isinstance(item, dict)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A status that a booking may or may not get next.

    Attributes:
        why: reason of a refusal; None for an allowed step.
        operators_only: True if no provider's event may make the step.
    """

    to: Status
    why: str | None
    operators_only: bool


def next_steps(status: Status) -> tuple[Step, ...]:
    """Return for each other status whether a booking of this status may get it, and why not."""
    return tuple(
        Step(to=to, why=_why_not(status, to), operators_only=(status, to) in OPERATOR_TRANSITIONS)
        for to in Status
        if to is not status
    )


def _why_not(status: Status, to: Status) -> str | None:
    allowed = TRANSITIONS[status]
    if to in allowed:
        return None
    if not allowed:
        return f"{status} is final: no status follows; make a new booking"
    before = [start for start, ends in TRANSITIONS.items() if to in ends]
    return f"a booking becomes {to} from {' or '.join(before)} only; this one is {status}"
