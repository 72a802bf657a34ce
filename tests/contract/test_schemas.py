"""The contract of each message: schemas are current, examples hold, and a breaking change is noticed."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contract_tools.committed import check, write
from contract_tools.json_schemas import SCHEMAS, breaking_changes, documents, schema_of
from contracts.catalogue import MESSAGES, MessageCard

EXAMPLES = SCHEMAS.parent / "examples"
CARDS = pytest.mark.parametrize("card", MESSAGES, ids=lambda card: card.event_type)


def committed(card: MessageCard) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{card.event_type}.json").read_text())


def example(card: MessageCard) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{card.event_type}.json").read_text())


def card_of(event_type: str) -> MessageCard:
    return next(card for card in MESSAGES if card.event_type == event_type)


def test_committed_schemas_are_current_and_nothing_broke() -> None:
    assert check(documents()) == []


@CARDS
def test_frozen_example_is_read_and_written_again_without_loss(card: MessageCard) -> None:
    frozen = example(card)
    model = card.model.model_validate(frozen)
    again = json.loads(model.to_bytes())
    assert card.model.model_validate(again) == model
    assert again.keys() == frozen.keys()


@pytest.mark.parametrize(
    "path",
    [p for p in EXAMPLES.glob("*.json") if not (SCHEMAS / p.name).exists()],
    ids=lambda p: p.name,
)
def test_frozen_example_of_a_further_form_is_read(path: Path) -> None:
    card = card_of(path.name.removesuffix(".json").rpartition(".")[0])
    frozen = json.loads(path.read_text())
    assert json.loads(card.model.model_validate(frozen).to_bytes()) == frozen


@CARDS
def test_field_from_a_newer_producer_is_ignored(card: MessageCard) -> None:
    newer = {**example(card), "added_in_a_later_release": {"deep": [1]}}
    assert card.model.model_validate(newer) == card.model.model_validate(example(card))


@CARDS
def test_producer_supplies_every_field(card: MessageCard) -> None:
    schema = schema_of(card)
    assert set(schema["required"]) == set(schema["properties"])


def test_time_outside_of_the_calendar_in_utc_is_a_validation_error() -> None:
    card = card_of("reconciliation.run-failed")
    with pytest.raises(ValidationError, match="outside of the years"):
        card.model.model_validate({**example(card), "finished_at": "0001-01-01T00:00:00+05:00"})


def drop_property(schema: dict[str, Any]) -> None:
    del schema["properties"]["booking_id"]
    schema["required"].remove("booking_id")


def make_optional(schema: dict[str, Any]) -> None:
    schema["required"].remove("version")


def change_type(schema: dict[str, Any]) -> None:
    schema["properties"]["version"]["type"] = "string"


def allow_null(schema: dict[str, Any]) -> None:
    schema["properties"]["booking_id"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def add_value(schema: dict[str, Any]) -> None:
    schema["properties"]["status"]["enum"].append("archived")


def open_values(schema: dict[str, Any]) -> None:
    del schema["properties"]["status"]["enum"]


def change_format(schema: dict[str, Any]) -> None:
    schema["properties"]["starts_at"]["format"] = "date"


def break_nested_money(schema: dict[str, Any]) -> None:
    schema["$defs"]["Money"]["properties"]["amount"]["type"] = "number"


def break_referenced_name(schema: dict[str, Any]) -> None:
    money = schema["$defs"]["Money"]
    money["properties"]["minor_units"] = money["properties"].pop("amount")
    money["required"] = ["minor_units", "currency"]


BREAKING = [
    drop_property,
    make_optional,
    change_type,
    allow_null,
    add_value,
    open_values,
    change_format,
    break_nested_money,
    break_referenced_name,
]


@pytest.mark.parametrize("plant", BREAKING, ids=lambda plant: plant.__name__)
def test_planted_breaking_change_is_found(plant: Callable[[dict[str, Any]], None]) -> None:
    before = committed(card_of("booking.created"))
    after = copy.deepcopy(before)
    plant(after)
    assert breaking_changes(before, after)


def test_closed_list_may_open_if_it_keeps_its_values() -> None:
    before = committed(card_of("booking.created"))
    after = copy.deepcopy(before)
    values = after["properties"]["status"].pop("enum")
    after["properties"]["status"]["x-extensible-enum"] = [*values, "archived"]
    assert breaking_changes(before, after) == []
    del after["properties"]["status"]["x-extensible-enum"][0]
    assert breaking_changes(before, after)


def test_added_property_and_other_words_are_not_breaking() -> None:
    before = committed(card_of("booking.created"))
    after = copy.deepcopy(before)
    after["properties"]["channel"] = {"type": "string"}
    after["required"].append("channel")
    after["description"] = "said better"
    assert breaking_changes(before, after) == []


def test_writing_refuses_to_overwrite_a_schema_that_consumers_rely_on(tmp_path: Path) -> None:
    generated = documents(tmp_path)
    assert write(generated) == []
    path = tmp_path / "booking.created.json"
    promised = json.loads(path.read_text())
    promised["properties"]["promised"] = {"type": "string"}
    promised["required"].append("promised")
    path.write_text(json.dumps(promised))

    findings = write(generated)

    assert any("booking.created.json: BREAKING" in finding for finding in findings)
    assert "promised" in json.loads(path.read_text())["properties"]
    assert check(generated) == findings


def test_message_that_vanished_is_breaking(tmp_path: Path) -> None:
    generated = documents(tmp_path)
    write(generated)
    (tmp_path / "booking.vanished.json").write_text("{}")
    assert any("booking.vanished.json: BREAKING" in finding for finding in check(generated))
