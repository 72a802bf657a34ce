"""A rate card file, read strictly: a missing, unknown, negative or fractional entry is an error."""

from collections.abc import Mapping

from contracts.currencies import MINOR_DIGITS
from pricing.errors import InvalidRateCardError, shown
from pricing.rate_card import BASIS_POINTS_WHOLE, Adjustment, HolidayRule, LongVisit, RateCard, Service, Unit
from pricing.time_zones import zone_named
from pricing.toml_table import TomlTable

RATE_MINOR_UNITS_MAX = 10**9
"""No rate is higher: the largest request at this rate stays far below what 64 bits hold."""

MINUTES_PER_DAY = 24 * 60


def parse_card(file: str, text: str) -> RateCard:
    """The card that a file says; InvalidRateCardError names file and key of the first thing wrong."""
    table = TomlTable.parse(file, text)
    card = RateCard(
        id=table.text("id"),
        version=table.text("version"),
        currency=_currency(table),
        time_zone=_time_zone(table),
        holidays=_holiday_rule(table.table("holidays")),
        services=_services(table.table("services")),
        discounts=_adjustments(table, "discounts"),
        fees=_adjustments(table, "fees"),
        taxes=_adjustments(table, "taxes"),
    )
    table.close()
    if file != f"{card.id}-{card.version}.toml":
        raise InvalidRateCardError(f"{file}: version: the file of this card is {card.id}-{card.version}.toml")
    return card


def _currency(table: TomlTable) -> str:
    currency = table.text("currency")
    if currency not in MINOR_DIGITS:
        raise table.error("currency", f"expected an ISO 4217 code, found {shown(currency)}")
    return currency


def _time_zone(table: TomlTable) -> str:
    name = table.text("time_zone")
    if zone_named(name) is None:
        raise table.error("time_zone", f"expected an IANA time zone, found {shown(name)}")
    return name


def _holiday_rule(table: TomlTable) -> HolidayRule:
    rule = HolidayRule(country=table.text("country"), names=table.texts("names"))
    table.close()
    return rule


def _services(table: TomlTable) -> Mapping[str, Service]:
    services = {name: _service(name, table.table(name)) for name in table.names()}
    if not services:
        raise table.error("*", "expected at least one service")
    return services


def _service(name: str, table: TomlTable) -> Service:
    service = Service(
        name=name,
        title=table.text("title"),
        unit=_unit(table),
        base_amount=_rate(table, "base_amount"),
        long_visit=_long_visit(table),
        extra_pet_amount=_rate(table, "extra_pet_amount"),
        holiday_amount=_rate(table, "holiday_amount"),
    )
    table.close()
    if service.unit == "night" and service.long_visit:
        raise table.error("long_visit_amount", "a service by the night has no long visits")
    return service


def _unit(table: TomlTable) -> Unit:
    match table.text("unit"):
        case "visit":
            return "visit"
        case "night":
            return "night"
        case other:
            raise table.error("unit", f"expected visit or night, found {shown(other)}")


def _long_visit(table: TomlTable) -> LongVisit | None:
    if not table.has("long_visit_amount") and not table.has("long_visit_minutes"):
        return None
    minutes = table.integer("long_visit_minutes", least=1, most=MINUTES_PER_DAY)
    return LongVisit(minutes=minutes, amount=_rate(table, "long_visit_amount"))


def _adjustments(table: TomlTable, key: str) -> tuple[Adjustment, ...]:
    adjustments = tuple(_adjustment(entry) for entry in table.tables(key))
    if len({adjustment.code for adjustment in adjustments}) != len(adjustments):
        raise table.error(key, "two entries have the same code")
    return adjustments


def _adjustment(table: TomlTable) -> Adjustment:
    shared = table.has("basis_points")
    adjustment = Adjustment(
        code=table.text("code"),
        description=table.text("description"),
        basis_points=table.integer("basis_points", least=1, most=BASIS_POINTS_WHOLE) if shared else 0,
        amount=0 if shared else _rate(table, "amount"),
    )
    table.close()
    return adjustment


def _rate(table: TomlTable, key: str) -> int:
    return table.integer(key, most=RATE_MINOR_UNITS_MAX)
