"""Strict reading of a rate card file: a missing, unknown, negative or fractional entry is an error."""

import tomllib
from datetime import date, datetime, time
from typing import Any, cast

from pricing.errors import InvalidRateCardError
from pricing.holiday_calendar import check_country
from pricing.rate_card import RateCard, Service
from pricing.strict_reading import read_strictly


def parse_card(file: str, text: str) -> RateCard:
    """Return the rate card in a file's text. InvalidRateCardError names the file and the first wrong key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRateCardError(f"{file}: not TOML: {error}") from error
    try:
        card = _read(table)
        # A test checks the names. A published card must load with every later edition of the calendar.
        check_country(card.holidays)
    except ValueError as error:
        raise InvalidRateCardError(f"{file}: {error}") from error
    if file != card.file_name:
        raise InvalidRateCardError(f"{file}: version: the file of this card is {card.file_name}")
    return card


def _read(table: dict[str, Any]) -> RateCard:
    # One by one first: an error of msgspec does not name the key of a table that has free keys.
    services = table.get("services")
    if isinstance(services, dict):
        for name, service in cast("dict[str, object]", services).items():
            read_strictly(service, Service, f"services.{name}")
    start = table.get("effective_from")
    if type(start) is date:
        table = {**table, "effective_from": datetime.combine(start, time.min)}
    return read_strictly(table, RateCard)
