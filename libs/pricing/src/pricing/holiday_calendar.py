"""Holidays of a rate card, from the maintained calendar of the `holidays` package.

The package takes a third of a command's start: it is imported with the first rate card.
"""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from pricing.errors import excerpt
from pricing.rate_card import HolidayRule

YEARS_CACHED_MAX = 128


def holidays_among(dates: Iterable[date], rule: HolidayRule) -> tuple[date, ...]:
    """Return the dates that the rule charges as holidays, in order and without duplicates."""
    return tuple(sorted(day for day in set(dates) if day in _holidays_of_year(rule, day.year)))


def check_country(rule: HolidayRule) -> None:
    """Raise ValueError if the calendar does not know the country."""
    import holidays  # noqa: PLC0415 - see above

    if rule.country not in holidays.list_supported_countries():
        raise ValueError(f"holidays.country: {excerpt(rule.country)} has no calendar, write one such as US")


@lru_cache(maxsize=YEARS_CACHED_MAX)
def _holidays_of_year(rule: HolidayRule, year: int) -> frozenset[date]:
    import holidays  # noqa: PLC0415 - see above

    # The weekday that stands in for a holiday has its own name, "… (observed)", for cards that charge it.
    calendar = holidays.country_holidays(rule.country, years=year, observed=True, language="en_US")
    return frozenset(day for day in calendar if not set(rule.names).isdisjoint(calendar.get_list(day)))
