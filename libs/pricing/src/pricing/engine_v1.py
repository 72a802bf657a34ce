"""Engine 1. Frozen with the first price it made: another rule is another engine beside it.

Lines come in a fixed order: visits or nights, extra pets, holiday, discounts, fees, taxes. Lines of
zero are left out. Shares are rounded to the minor unit half up, each line by itself.
"""

from datetime import timedelta

from pricing.adjustments import BASIS_POINTS_WHOLE, Adjustment
from pricing.inputs import Inputs
from pricing.quotes import Line
from pricing.rate_card import RateCard, Service


def lines_v1(inputs: Inputs, card: RateCard) -> tuple[Line, ...]:
    """Return the lines of a price, or raise UnknownServiceError."""
    service = card.service(inputs.service)
    lines = _base_lines(inputs, service) + _add_on_lines(inputs, service)
    if card.discounts or card.fees or card.taxes:
        lines += _adjustment_lines(sum(line.amount for line in lines), card)
    return tuple(line for line in lines if line.quantity and line.unit_amount)


def _base_lines(inputs: Inputs, service: Service) -> list[Line]:
    if service.unit == "night":
        return [Line.of("night", service.title, len(inputs.unit_dates("night")), service.base_amount)]
    long_visit = service.long_visit
    if long_visit is None:
        return [Line.of("visit", service.title, len(inputs.slots), service.base_amount)]
    long_from = timedelta(minutes=long_visit.minutes)
    long_count = sum(ends - starts >= long_from for starts, ends in inputs.slots)
    long_title = f"{service.title}, {long_visit.minutes} minutes or more"
    return [
        Line.of("visit", service.title, len(inputs.slots) - long_count, service.base_amount),
        Line.of("long_visit", long_title, long_count, long_visit.amount),
    ]


def _add_on_lines(inputs: Inputs, service: Service) -> list[Line]:
    dates = inputs.unit_dates(service.unit)
    if inputs.holiday is None:
        holiday_count = sum(day in inputs.holiday_dates for day in dates)
    else:
        holiday_count = len(dates) if inputs.holiday else 0
    return [
        Line.of("extra_pet", "Extra pet", (inputs.pets - 1) * len(dates), service.extra_pet_amount),
        Line.of("holiday", "Holiday", holiday_count, service.holiday_amount),
    ]


def _adjustment_lines(subtotal: int, card: RateCard) -> list[Line]:
    discounts: list[Line] = []
    discounted = subtotal
    for discount in card.discounts:
        taken = min(_amount(discount, subtotal), discounted)
        discounted -= taken
        discounts.append(_line("discount", discount, -taken))
    fees = [_line("fee", fee, _amount(fee, discounted)) for fee in card.fees]
    taxable = discounted + sum(line.amount for line in fees)
    taxes = [_line("tax", tax, _amount(tax, taxable)) for tax in card.taxes]
    return discounts + fees + taxes


def _amount(adjustment: Adjustment, base: int) -> int:
    share = (base * adjustment.basis_points + BASIS_POINTS_WHOLE // 2) // BASIS_POINTS_WHOLE
    return share + adjustment.amount


def _line(kind: str, adjustment: Adjustment, amount: int) -> Line:
    return Line.of(f"{kind}:{adjustment.code}", adjustment.description, 1, amount)
