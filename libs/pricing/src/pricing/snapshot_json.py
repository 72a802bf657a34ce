"""Snapshots as JSON objects, and back. The form is stored for years: keys are only ever added."""

import json
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict

from pricing.errors import UnreadableSnapshotError
from pricing.inputs import VISITS_MAX, Inputs
from pricing.price_requests import Slot
from pricing.quotes import Amount, Line
from pricing.snapshots import Override, Snapshot
from pricing.strict_reading import read_strictly

JsonObject = dict[str, Any]

LINES_MAX = 100

_Moment = Annotated[datetime, Meta(tz=True)]


class _StoredSlot(Struct, gc=False):
    starts_local: _Moment
    ends_local: _Moment


class _StoredInputs(_StoredSlot, gc=False):
    service: str
    pets: int
    time_zone: str
    visits: Annotated[tuple[_StoredSlot, ...], Meta(max_length=VISITS_MAX)]
    holiday: bool | None
    holiday_dates: Annotated[tuple[date, ...], Meta(max_length=VISITS_MAX)]


class _CardKey(Struct, gc=False):
    id: str
    version: str


class _StoredSnapshot(Struct, gc=False):
    engine_version: int
    rate_card: _CardKey
    currency: str
    inputs: _StoredInputs
    line_items: Annotated[tuple[Line, ...], Meta(max_length=LINES_MAX)]
    total: Amount
    override: Override | None


_DECODER = msgspec.json.Decoder(_StoredSnapshot)


def to_json_object(stored: Snapshot) -> JsonObject:
    """Return the form in which a booking stores its snapshot and shows it as `pricing`: JSON types only."""
    inputs = stored.inputs
    return {
        "engine_version": stored.engine_version,
        "rate_card": {"id": stored.card_id, "version": stored.card_version},
        "currency": stored.currency,
        "inputs": {
            "service": inputs.service,
            "pets": inputs.pets,
            "time_zone": inputs.time_zone,
            **_slot_object(inputs.stay),
            "visits": [_slot_object(visit) for visit in inputs.visits],
            "holiday": inputs.holiday,
            "holiday_dates": [day.isoformat() for day in inputs.holiday_dates],
        },
        "line_items": [asdict(line) for line in stored.lines],
        "total": stored.total,
        "override": None if stored.override is None else asdict(stored.override),
    }


def parse_snapshot(value: object) -> Snapshot:
    """Return the snapshot in a decoded JSON value, whether its amounts are right or wrong.

    Every key that to_json_object writes must be present and of its type; other keys are ignored (design
    rule 11). UnreadableSnapshotError, and no other error, names the first entry that cannot be read.
    """
    try:
        return _snapshot(read_strictly(value, _StoredSnapshot))
    except ValueError as error:
        raise UnreadableSnapshotError(f"snapshot: {error}") from error


def _snapshot(stored: _StoredSnapshot) -> Snapshot:
    # By position, which takes half as long: a run of the reconciler reads millions of snapshots.
    card, inputs = stored.rate_card, stored.inputs
    visits = tuple([(visit.starts_local, visit.ends_local) for visit in inputs.visits])
    read = Inputs(
        inputs.service, inputs.pets, inputs.time_zone, (inputs.starts_local, inputs.ends_local), visits,
        inputs.holiday, inputs.holiday_dates,
    )  # fmt: skip
    return Snapshot(
        stored.engine_version, card.id, card.version, stored.currency, read,
        stored.line_items, stored.total, stored.override,
    )  # fmt: skip


def parse_snapshot_text(text: str) -> Snapshot:
    """Return the snapshot in a JSON text, as `parse_snapshot` reads the decoded value.

    Raises:
        json.JSONDecodeError: the text is no JSON.
        UnreadableSnapshotError: as of `parse_snapshot`.
    """
    try:
        # In one pass. What it refuses is read again in two, for the error's text.
        return _snapshot(_DECODER.decode(text))
    except (ValueError, msgspec.MsgspecError):
        return parse_snapshot(json.loads(text))


def _slot_object(slot: Slot) -> JsonObject:
    starts, ends = slot
    return {"starts_local": starts.isoformat(), "ends_local": ends.isoformat()}
