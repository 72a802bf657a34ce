"""Warnings about requests that have a price and are odd all the same (BK-16)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pricing.inputs import Inputs
from pricing.price_requests import PriceRequest
from pricing.rate_card import RateCard
from pricing.resolution import resolve

DATES_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class PriceWarning:
    """A part of a request that a person should look at; the request is priced as it stands.

    Attributes:
        code: stable, for programs; docs/pricing.md lists them, and further codes may be added.
        field: of the request, e.g. `visits.1.starts_at`.
        message: one sentence for people.
    """

    code: str
    field: str
    message: str


def warnings(request: PriceRequest, card: RateCard, *, at: datetime) -> tuple[PriceWarning, ...]:
    """Return what is odd about a request at an aware moment, in the order of its fields.

    Errors: as those of a price.
    """
    inputs = resolve(request, card)
    is_charged_by_visit = card.service(request.service).unit in ("visit", "hour")
    return (
        *_start_in_past(inputs, at),
        *(_visits_missing(inputs) if is_charged_by_visit else ()),
        *_visits_outside(inputs),
        *_overlapping_visits(inputs),
        *(_days_without_visits(inputs) if is_charged_by_visit else ()),
    )


def _start_in_past(inputs: Inputs, at: datetime) -> Iterator[PriceWarning]:
    starts = inputs.stay[0]
    if starts < at:
        yield PriceWarning(
            "starts_in_past", "starts_at", f"The booking starts in the past, at {_text(starts)}."
        )


def _visits_missing(inputs: Inputs) -> Iterator[PriceWarning]:
    starts, ends = inputs.stay
    if not inputs.visits and ends - starts > timedelta(days=1):
        days = (ends.date() - starts.date()).days + 1
        message = f"No visit is given: the booking of {days} days is charged as one visit."
        yield PriceWarning("visits_missing", "visits", message)


def _visits_outside(inputs: Inputs) -> Iterator[PriceWarning]:
    starts, ends = inputs.stay
    for index, (visit_starts, visit_ends) in enumerate(inputs.visits):
        if visit_starts < starts:
            message = f"The visit at {_text(visit_starts)} starts before the booking, at {_text(starts)}."
            yield PriceWarning("visit_outside_booking", f"visits.{index}.starts_at", message)
        elif visit_ends > ends:
            message = f"The visit at {_text(visit_starts)} ends after the booking, at {_text(ends)}."
            yield PriceWarning("visit_outside_booking", f"visits.{index}.ends_at", message)


def _overlapping_visits(inputs: Inputs) -> Iterator[PriceWarning]:
    in_order = sorted(enumerate(inputs.visits), key=lambda entry: entry[1])
    latest: datetime | None = None
    ambiguous: list[tuple[int, datetime]] = []
    for index, (starts, ends) in in_order:
        if latest is not None and starts < latest:
            ambiguous.append((index, starts))
        latest = ends if latest is None else max(latest, ends)
    for index, starts in sorted(ambiguous):
        message = f"The visit at {_text(starts)} starts before an earlier visit has ended."
        yield PriceWarning("visits_overlap", f"visits.{index}.starts_at", message)


def _days_without_visits(inputs: Inputs) -> Iterator[PriceWarning]:
    # Days of arrival and departure may well have none.
    first, last = inputs.stay[0].date(), inputs.stay[1].date()
    between = _days(first + timedelta(days=1), last - timedelta(days=1))
    visited = {day for starts, ends in inputs.visits for day in _days(starts.date(), ends.date())}
    empty = [day for day in between if day not in visited]
    if inputs.visits and empty:
        yield PriceWarning("days_without_visits", "visits", f"Days without a visit: {_dates(empty)}.")


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _dates(days: Iterable[date]) -> str:
    texts = [day.isoformat() for day in days]
    more = f" and {len(texts) - DATES_SHOWN_MAX} more" if len(texts) > DATES_SHOWN_MAX else ""
    return ", ".join(texts[:DATES_SHOWN_MAX]) + more


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
