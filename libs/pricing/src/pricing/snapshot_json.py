"""A snapshot as a JSON object, and back. The form is stored for years: it is only ever added to."""

from pricing.errors import InvalidPriceRequestError, UnreadableSnapshotError
from pricing.inputs import VISITS_MAX, Inputs
from pricing.price_requests import Slot
from pricing.quotes import Line
from pricing.snapshots import Override, Snapshot
from pricing.strict_json import (
    JsonObject,
    amount_of,
    dates_of,
    is_null,
    moment_of,
    object_of,
    objects_of,
    value_of,
)

LINES_MAX = 100


def to_json_object(stored: Snapshot) -> JsonObject:
    """The form in which a booking stores its snapshot and shows it as `pricing`: nothing but JSON types."""
    return {
        "engine_version": stored.engine_version,
        "rate_card": {"id": stored.card_id, "version": stored.card_version},
        "currency": stored.currency,
        "inputs": _inputs_object(stored.inputs),
        "line_items": [_line_object(line) for line in stored.lines],
        "total": stored.total,
        "override": None if stored.override is None else _override_object(stored.override),
    }


def parse_snapshot(found: object) -> Snapshot:
    """The snapshot that a decoded JSON value holds, be its amounts right or wrong.

    Every key that to_json_object writes must be there and of its type; other keys are ignored (design
    rule 11). UnreadableSnapshotError, and nothing else, names the first thing that cannot be read.
    """
    top = object_of({"snapshot": found}, "snapshot")
    card = object_of(top, "rate_card")
    lines = objects_of(top, "line_items", LINES_MAX)
    try:
        return Snapshot(
            engine_version=value_of(top, "engine_version", int),
            card_id=value_of(card, "id", str, "rate_card."),
            card_version=value_of(card, "version", str, "rate_card."),
            currency=value_of(top, "currency", str),
            inputs=_inputs(object_of(top, "inputs")),
            lines=tuple(_line(line, f"line_items[{index}].") for index, line in enumerate(lines)),
            total=amount_of(top, "total"),
            override=_override(top),
        )
    except InvalidPriceRequestError as error:
        raise UnreadableSnapshotError(f"snapshot: {error}") from error


def _inputs_object(inputs: Inputs) -> JsonObject:
    return {
        "service": inputs.service,
        "pets": inputs.pets,
        "time_zone": inputs.time_zone,
        **_slot_object(inputs.stay),
        "visits": [_slot_object(visit) for visit in inputs.visits],
        "holiday": inputs.holiday,
        "holiday_dates": [day.isoformat() for day in inputs.holiday_dates],
    }


def _inputs(entries: JsonObject) -> Inputs:
    where = "inputs."
    visits = objects_of(entries, "visits", VISITS_MAX, where)
    return Inputs(
        service=value_of(entries, "service", str, where),
        pets=value_of(entries, "pets", int, where),
        time_zone=value_of(entries, "time_zone", str, where),
        stay=_slot(entries, where),
        visits=tuple(_slot(visit, f"inputs.visits[{index}].") for index, visit in enumerate(visits)),
        holiday=None if is_null(entries, "holiday") else value_of(entries, "holiday", bool, where),
        holiday_dates=dates_of(entries, "holiday_dates", VISITS_MAX, where),
    )


def _slot_object(slot: Slot) -> JsonObject:
    starts, ends = slot
    return {"starts_local": starts.isoformat(), "ends_local": ends.isoformat()}


def _slot(entries: JsonObject, where: str) -> Slot:
    return moment_of(entries, "starts_local", where), moment_of(entries, "ends_local", where)


def _line_object(line: Line) -> JsonObject:
    return {
        "code": line.code,
        "description": line.description,
        "quantity": line.quantity,
        "unit_amount": line.unit_amount,
        "amount": line.amount,
    }


def _line(entries: JsonObject, where: str) -> Line:
    return Line(
        code=value_of(entries, "code", str, where),
        description=value_of(entries, "description", str, where),
        quantity=amount_of(entries, "quantity", where),
        unit_amount=amount_of(entries, "unit_amount", where),
        amount=amount_of(entries, "amount", where),
    )


def _override_object(override: Override) -> JsonObject:
    return {
        "before": override.before,
        "after": override.after,
        "reason": override.reason,
        "actor": override.actor,
    }


def _override(top: JsonObject) -> Override | None:
    if is_null(top, "override"):
        return None
    where = "override."
    entries = object_of(top, "override")
    return Override(
        before=amount_of(entries, "before", where),
        after=amount_of(entries, "after", where),
        reason=value_of(entries, "reason", str, where),
        actor=value_of(entries, "actor", str, where),
    )
