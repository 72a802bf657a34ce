"""The numbers that a booking's lines depend on, besides service and rate card.

Frozen with the first price that an engine made from them: an engine that counts otherwise has counts of its
own.
"""

from datetime import timedelta
from typing import NamedTuple

from pricing.inputs import Inputs
from pricing.rate_card import Service, Unit

_MINUTE = timedelta(minutes=1)


class Counts(NamedTuple):
    """The units of a booking. Bookings with equal counts have equal lines.

    Attributes:
        units: charged visits, nights or hours.
        long_visits: visits that reach the length of the service's long rate.
        holiday_units: those units that carry the holiday add-on.
        pets: of the booking.
    """

    units: int
    long_visits: int
    holiday_units: int
    pets: int


def count_units(inputs: Inputs, service: Service) -> Counts:
    """Return the counts of a booking of a service."""
    unit = service.unit
    units = len(inputs.slots) if unit == "visit" else sum([count for _, count in inputs.charged_units(unit)])
    if inputs.holiday is None:
        holiday_units = _count_holidays(inputs, unit) if inputs.holiday_dates else 0
    else:
        holiday_units = units if inputs.holiday else 0
    minutes = service.long_visit_minutes
    long_visits = 0 if minutes is None else _count_visits_from(minutes, inputs)
    return Counts(units, long_visits, holiday_units, inputs.pets)


def _count_holidays(inputs: Inputs, unit: Unit) -> int:
    return sum([count for day, count in inputs.charged_units(unit) if day in inputs.holiday_dates])


def _count_visits_from(minutes: int, inputs: Inputs) -> int:
    length = minutes * _MINUTE
    return sum([ends - starts >= length for starts, ends in inputs.slots])
