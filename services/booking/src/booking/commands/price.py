"""The command `price`: explain a price line by line. It needs neither database nor broker."""

import re
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from booking.settings import BusinessSettings
from chassis import clock
from chassis.process.command_line import CommandError
from chassis.process.environment import load_settings
from chassis.process.tables import Column, Table, number, print_parts
from chassis.process.terminal import print_json, printable
from contracts.money import Money
from contracts.times import TimeError, parse_time
from pricing import (
    PriceRequest,
    PriceWarning,
    PricingError,
    RateCard,
    Slot,
    Snapshot,
    current_rate_card,
    rate_card,
    snapshot,
    to_json_object,
    warnings,
)

HELP = """Explain a price line by line. Stores nothing; needs neither database nor broker.

\b
Two drop-in visits on a holiday for three pets:
  booking price --service drop-in --pets 3 \\
    --from 2026-07-04T09:00:00-05:00 --to 2026-07-04T19:00:00-05:00 \\
    --visit 2026-07-04T09:00:00-05:00/2026-07-04T09:30:00-05:00 \\
    --visit 2026-07-04T18:00:00-05:00/2026-07-04T19:00:00-05:00

Times are RFC 3339 with their offset. BUSINESS_TIME_ZONE (America/Chicago) says which days they are.
"""

# A field of a price request by the option that gives it.
_OPTIONS = {
    "service": "--service",
    "starts_at": "--from",
    "ends_at": "--to",
    "visits": "--visit",
    "pets": "--pets",
    "time_zone": "--time-zone",
    "rate card": "--card",
    "engine_version": "--engine",
}
_VISIT = re.compile(r"visits\.([0-9]+)\.(.*)")


def add_price(cli: typer.Typer) -> None:
    """Add the command to booking's command line."""

    @cli.command(name="price", help=HELP)
    def price_command(
        *,
        service: Annotated[str, typer.Option(help="A service of the rate card, e.g. drop-in.")],
        starts_at: Annotated[str, typer.Option("--from", metavar="TIME", help="Start of the booking.")],
        ends_at: Annotated[str, typer.Option("--to", metavar="TIME", help="End of the booking.")],
        visits: Annotated[
            list[str] | None,
            typer.Option("--visit", metavar="START/END", help="One visit; give it again for each."),
        ] = None,
        pets: Annotated[int, typer.Option(help="How many pets.")] = 1,
        holiday: Annotated[
            bool | None,
            typer.Option("--holiday/--no-holiday", help="Charge all as holiday, or none; else by calendar."),
        ] = None,
        card: Annotated[
            str | None,
            typer.Option(
                metavar="ID/VERSION", help="Rate card, e.g. default/2025-01; else the one in force."
            ),
        ] = None,
        engine: Annotated[int | None, typer.Option(help="Engine version; else the card's own.")] = None,
        at: Annotated[
            str | None, typer.Option(metavar="TIME", help="Price as if it were this time; else now.")
        ] = None,
        time_zone: Annotated[
            str | None, typer.Option(metavar="ZONE", help="IANA zone; else BUSINESS_TIME_ZONE.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as over HTTP.")] = False,
    ) -> None:
        moment = clock.now() if at is None else _parse_moment("--at", at)
        request = PriceRequest(
            service=service,
            starts_at=_parse_moment("--from", starts_at),
            ends_at=_parse_moment("--to", ends_at),
            visits=tuple(_parse_visit(visit) for visit in visits or ()),
            pets=pets,
            holiday=holiday,
            time_zone=time_zone or load_settings(BusinessSettings).business_time_zone,
        )
        try:
            chosen = _choose_card(card, moment)
            priced, odd = snapshot(request, chosen, engine), warnings(request, chosen, at=moment)
        except PricingError as error:
            raise CommandError(_name_option(str(error))) from error
        if as_json:
            print_json(_as_json(priced, odd))
        else:
            _print(priced, odd)


def _parse_moment(option: str, text: str) -> datetime:
    try:
        return parse_time(text)
    except TimeError as error:
        raise CommandError(f"{option} {printable(text)}: {error}") from error


def _parse_visit(text: str) -> Slot:
    starts_at, slash, ends_at = text.partition("/")
    if not slash:
        raise CommandError(f"--visit {printable(text)}: expected two times with a slash between: START/END")
    return _parse_moment("--visit", starts_at), _parse_moment("--visit", ends_at)


def _choose_card(text: str | None, at: datetime) -> RateCard:
    if text is None:
        return current_rate_card(at)
    card_id, slash, version = text.partition("/")
    if not slash:
        raise CommandError(f"--card {printable(text)}: expected ID/VERSION, such as default/2025-01")
    return rate_card(card_id, version)


def _name_option(message: str) -> str:
    """Return an error of pricing with the option in place of the field."""
    field, _, problem = message.partition(": ")
    if visit := _VISIT.fullmatch(field):
        return f"--visit number {int(visit[1]) + 1}: {visit[2]}: {problem}"
    return f"{_OPTIONS.get(field, field)}: {problem}"


def _as_json(priced: Snapshot, odd: tuple[PriceWarning, ...]) -> dict[str, Any]:
    return {
        "total": asdict(Money(priced.total, priced.currency)),
        "pricing": to_json_object(priced),
        "warnings": [asdict(warning) for warning in odd],
    }


def _print(priced: Snapshot, odd: tuple[PriceWarning, ...]) -> None:
    table = Table(
        Column("line"),
        Column("description", wraps=24, leaves=3),
        Column("quantity", right=True, leaves=1),
        Column("each", right=True, leaves=2),
        Column("amount", right=True),
        empty="the price has no line",
    )
    for line in priced.lines:
        each, amount = (str(Money(value, priced.currency)) for value in (line.unit_amount, line.amount))
        table.add(line.code, line.description, number(line.quantity), each, amount)
    table.add_total("total", "", "", "", str(Money(priced.total, priced.currency)))
    starts, ends = (f"{moment:%Y-%m-%d %H:%M}" for moment in priced.inputs.stay)
    print_parts(
        table,
        f"{starts} to {ends}, time zone {priced.inputs.time_zone}",
        f"rate card {priced.card_id}/{priced.card_version}, engine {priced.engine_version}",
        *(f"warning: {warning.field}: {warning.message}" for warning in odd),
    )
