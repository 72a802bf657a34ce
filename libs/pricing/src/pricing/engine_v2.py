"""Engine 2. Frozen with the first price it made: another rule is another engine beside it.

Adds to engine 1: hours and fixed prices, pets included in the base rate, shares as decimal percent, discounts
from a number of units on, fees per unit, adjustments of some services only.

Lines come in a fixed order: units, extra pets, holiday, discounts, fees, taxes. Lines of zero are left out.
Shares are rounded to the minor unit half to even, each line by itself; everything else is integers.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from pricing.adjustments import Adjustment, Fee
from pricing.counts import Counts
from pricing.quotes import Line
from pricing.rate_card import RateCard, Service

# Exact for every share of every amount. Stated here: Python's own context may differ from thread to thread.
_EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_PERCENT = Decimal("0.01")
_MINOR_UNIT = Decimal(1)


def lines_v2(counts: Counts, name: str, card: RateCard) -> tuple[Line, ...]:
    """Return the lines of a price by the counts of a booking, for a service of the card."""
    service, units = card.service(name), counts.units
    lines = _base_lines(counts, service) + _add_on_lines(counts, service)
    lines += _adjustment_lines(name, units, sum(line.amount for line in lines), card)
    return tuple(line for line in lines if line.quantity and line.unit_amount)


def _base_lines(counts: Counts, service: Service) -> list[Line]:
    long_visit = service.long_visit
    if long_visit is None:
        return [Line.of(service.unit, service.title, counts.units, service.base_amount)]
    long_title = f"{service.title}, {long_visit.minutes} minutes or more"
    return [
        Line.of("visit", service.title, counts.units - counts.long_visits, service.base_amount),
        Line.of("long_visit", long_title, counts.long_visits, long_visit.amount),
    ]


def _add_on_lines(counts: Counts, service: Service) -> list[Line]:
    extra_pets = max(0, counts.pets - service.pets_included)
    return [
        Line.of("extra_pet", "Extra pet", extra_pets * counts.units, service.extra_pet_amount),
        Line.of("holiday", "Holiday", counts.holiday_units, service.holiday_amount),
    ]


def _adjustment_lines(service: str, units: int, subtotal: int, card: RateCard) -> list[Line]:
    discounts: list[Line] = []
    discounted = subtotal
    for discount in card.discounts:
        if _applies(discount, service) and units >= discount.from_units:
            taken = min(_amount(discount, subtotal), discounted)
            discounted -= taken
            discounts.append(_line("discount", discount, -taken))
    fees = [_fee_line(fee, units, discounted) for fee in card.fees if _applies(fee, service)]
    taxable = discounted + sum(line.amount for line in fees)
    taxes = [_line("tax", tax, _amount(tax, taxable)) for tax in card.taxes if _applies(tax, service)]
    return discounts + fees + taxes


def _applies(adjustment: Adjustment, service: str) -> bool:
    return not adjustment.services or service in adjustment.services


def _fee_line(fee: Fee, units: int, base: int) -> Line:
    quantity = units if fee.per == "unit" else 1
    return _line("fee", fee, _amount(fee, base), quantity)


def _amount(adjustment: Adjustment, base: int) -> int:
    share = _EXACT.multiply(_EXACT.multiply(Decimal(base), adjustment.share), _PERCENT)
    return int(_EXACT.quantize(share, _MINOR_UNIT)) + adjustment.amount


def _line(kind: str, adjustment: Adjustment, amount: int, quantity: int = 1) -> Line:
    return Line.of(f"{kind}:{adjustment.code}", adjustment.description, quantity, amount)
