"""Engine 1. Frozen with the first price it made: another rule is another engine beside it.

Lines come in a fixed order: visits or nights, extra pets, holiday, discounts, fees, taxes. Lines of
zero are left out. Shares are rounded to the minor unit half up, each line by itself.
"""

from pricing.adjustments import BASIS_POINTS_WHOLE, Adjustment
from pricing.counts import Counts
from pricing.quotes import Line
from pricing.rate_card import RateCard, Service


def lines_v1(counts: Counts, name: str, card: RateCard) -> tuple[Line, ...]:
    """Return the lines of a price by the counts of a booking, for a service of the card."""
    service = card.service(name)
    lines = _base_lines(counts, service) + _add_on_lines(counts, service)
    if card.discounts or card.fees or card.taxes:
        lines += _adjustment_lines(sum(line.amount for line in lines), card)
    return tuple(line for line in lines if line.quantity and line.unit_amount)


def _base_lines(counts: Counts, service: Service) -> list[Line]:
    if service.unit == "night":
        return [Line.of("night", service.title, counts.units, service.base_amount)]
    long_visit = service.long_visit
    if long_visit is None:
        return [Line.of("visit", service.title, counts.units, service.base_amount)]
    long_title = f"{service.title}, {long_visit.minutes} minutes or more"
    return [
        Line.of("visit", service.title, counts.units - counts.long_visits, service.base_amount),
        Line.of("long_visit", long_title, counts.long_visits, long_visit.amount),
    ]


def _add_on_lines(counts: Counts, service: Service) -> list[Line]:
    return [
        Line.of("extra_pet", "Extra pet", (counts.pets - 1) * counts.units, service.extra_pet_amount),
        Line.of("holiday", "Holiday", counts.holiday_units, service.holiday_amount),
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
