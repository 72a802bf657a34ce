"""The one schema comparison: each change is breaking in the direction in which a value may no longer fit."""

from typing import Any

import pytest

from contract_tools.differ import SchemaDiffer

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NULLABLE: Schema = {"anyOf": [TEXT, {"type": "null"}]}
CAT: Schema = {"title": "Cat", "type": "object", "properties": {"lives": {"type": "integer"}}}
DOG: Schema = {"title": "Dog", "type": "object", "properties": {"name": TEXT}}


def changes(old: Schema, new: Schema, direction: Any) -> list[str]:
    return list(SchemaDiffer(old, new).changes("value", old, new, direction))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        pytest.param(TEXT, NULLABLE, id="null"),
        pytest.param(TEXT, {}, id="any type"),
        pytest.param({**TEXT, "enum": ["a"]}, {**TEXT, "enum": ["a", "b"]}, id="values"),
        pytest.param({**TEXT, "enum": ["a"]}, TEXT, id="closed list"),
        pytest.param({**TEXT, "format": "date"}, TEXT, id="format"),
        pytest.param({**TEXT, "const": "a"}, TEXT, id="constant"),
        pytest.param({**CAT, "required": ["lives"]}, CAT, id="required"),
        pytest.param({**CAT, "additionalProperties": False}, CAT, id="further properties"),
        pytest.param({"type": "array", "items": TEXT}, {"type": "array", "items": NULLABLE}, id="items"),
        pytest.param({"type": "array", "items": TEXT}, {"type": "array"}, id="any items"),
        pytest.param({"anyOf": [CAT]}, {"anyOf": [CAT, DOG]}, id="second object"),
    ],
)
def test_sender_may_narrow_and_receiver_may_widen(narrow: Schema, wide: Schema) -> None:
    assert changes(narrow, wide, "sent")
    assert changes(wide, narrow, "sent") == []
    assert changes(wide, narrow, "received")
    assert changes(narrow, wide, "received") == []


@pytest.mark.parametrize("direction", ["sent", "received"])
def test_property_must_stay_and_may_come(direction: str) -> None:
    with_more = {**CAT, "properties": {**CAT["properties"], "name": TEXT}}
    assert changes(CAT, with_more, direction) == []
    assert changes(with_more, CAT, direction) == ["value/name: is gone"]


def test_limit_of_a_request_may_only_grow() -> None:
    before, after = {"type": "integer", "maximum": 500}, {"type": "integer", "maximum": 100}
    assert changes(before, after, "received") == ["value: maximum was 500, is 100"]
    assert changes(after, before, "received") == []


def test_recursive_schema_is_compared_once() -> None:
    tree = {
        "$defs": {"Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}},
        "$ref": "#/$defs/Tree",
    }
    assert changes(tree, tree, "sent") == []
