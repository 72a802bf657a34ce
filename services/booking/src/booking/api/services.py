"""Route `/api/services`: services and rates of the card in force, for forms that make bookings."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypedDict

from litestar import get

from chassis import clock
from contracts.money import Money
from pricing import Adjustment, Discount, Fee, RateCard, Service, current_rate_card

PATH = "/api/services"


class RateCardKey(TypedDict):
    """Name of a rate card."""

    id: str
    version: str


class LongVisitRate(TypedDict):
    """The rate of a visit of `minutes` or more, in place of `base`."""

    minutes: int
    rate: Money


class ServiceRates(TypedDict):
    """A service and its rates per unit.

    `unit` is visit, night, hour, fixed, or a later one. `extra_pet` is for each pet beyond `pets_included`.
    """

    service: str
    title: str
    unit: str
    base: Money
    long_visit: LongVisitRate | None
    pets_included: int
    extra_pet: Money
    holiday: Money


class AdjustmentRate(TypedDict):
    """A discount, fee or tax: `percent` as decimal text, or `amount`.

    `kind` is discount, fee or tax. `services` is empty for all of them. A discount is given from `from_units`
    units on. `per` is booking, or unit for a fee that counts once for each.
    """

    kind: str
    code: str
    description: str
    percent: str | None
    amount: Money | None
    services: list[str]
    from_units: int
    per: str


class ServiceList(TypedDict):
    """Services of the rate card in force. `effective_from` is null for the first version of the card."""

    rate_card: RateCardKey
    engine_version: int
    effective_from: datetime | None
    currency: str
    items: list[ServiceRates]
    adjustments: list[AdjustmentRate]
    next_cursor: None


@get(PATH, summary="Services and rates of the rate card in force", tags=["services"], sync_to_thread=False)
def list_services() -> ServiceList:
    """Return everything in one page: prices of bookings made now follow from this card."""
    return services_response(current_rate_card(clock.now()))


def services_response(card: RateCard) -> ServiceList:
    return {
        "rate_card": {"id": card.id, "version": card.version},
        "engine_version": card.engine,
        "effective_from": card.in_force_from,
        "currency": card.currency,
        "items": [_rates(name, service, card.currency) for name, service in card.services.items()],
        "adjustments": list(_adjustments(card)),
        "next_cursor": None,
    }


def _rates(name: str, service: Service, currency: str) -> ServiceRates:
    long_visit = service.long_visit
    return {
        "service": name,
        "title": service.title,
        "unit": service.unit,
        "base": Money(service.base_amount, currency),
        "long_visit": None
        if long_visit is None
        else {"minutes": long_visit.minutes, "rate": Money(long_visit.amount, currency)},
        "pets_included": service.pets_included,
        "extra_pet": Money(service.extra_pet_amount, currency),
        "holiday": Money(service.holiday_amount, currency),
    }


def _adjustments(card: RateCard) -> Iterator[AdjustmentRate]:
    kinds: Sequence[tuple[str, Sequence[Adjustment]]] = (
        ("discount", card.discounts),
        ("fee", card.fees),
        ("tax", card.taxes),
    )
    for kind, adjustments in kinds:
        for adjustment in adjustments:
            yield {
                "kind": kind,
                "code": adjustment.code,
                "description": adjustment.description,
                "percent": f"{adjustment.share:f}" if adjustment.share else None,
                "amount": Money(adjustment.amount, card.currency) if adjustment.amount else None,
                "services": list(adjustment.services),
                "from_units": adjustment.from_units if isinstance(adjustment, Discount) else 1,
                "per": adjustment.per if isinstance(adjustment, Fee) else "booking",
            }
