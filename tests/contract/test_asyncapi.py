"""The AsyncAPI document: current, valid, and true of what the services send and receive."""

import ast
import copy
import gzip
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contract_tools import asyncapi
from contract_tools.__main__ import main
from contract_tools.asyncapi_messages import ContradictionError, component_schemas
from contract_tools.committed import check, write
from contracts.catalogue import MESSAGES, MessageCard
from contracts.topics import BOOKINGS_EVENTS, TOPICS
from contracts.wire import WireModel
from harness.composed import PREFIX, SERVICES, topics_subscribed

ROOT = Path(__file__).parents[2]
STANDARD = json.loads(
    gzip.decompress((Path(__file__).parent / "standards" / "asyncapi-3.0.0.json.gz").read_bytes())
)
DEAD_LETTER_MODELS = {"MessageSetAside", "MessageReplayed", "MessageDiscarded", "MessagesLost"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(asyncapi.FILE.read_text())


def console_name(package: str) -> str:
    return package.replace("_", "-")


def test_committed_document_is_current_and_no_topic_broke() -> None:
    assert check(asyncapi.documents()) == []


def test_document_is_valid_asyncapi(document: dict[str, Any]) -> None:
    validator = jsonschema.validators.validator_for(STANDARD)(STANDARD)
    assert [error.message for error in validator.iter_errors(document)] == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))
    assert references
    for reference in references:
        place: Any = document
        for step in reference.split("/"):
            place = place[step]


def test_every_topic_and_message_is_described(document: dict[str, Any]) -> None:
    assert list(document["channels"]) == [card.name for card in TOPICS]
    described = {name for channel in document["channels"].values() for name in channel["messages"]}
    assert described >= {card.event_type for card in MESSAGES}
    assert described == document["components"]["messages"].keys()


@pytest.mark.parametrize("card", MESSAGES, ids=lambda card: card.event_type)
def test_example_is_valid_by_the_payload_it_stands_beside(
    card: MessageCard, document: dict[str, Any]
) -> None:
    described = document["components"]["messages"][card.event_type]
    schema = {**described["payload"], "components": document["components"]}
    for example in described["examples"]:
        jsonschema.validate(example["payload"], schema)


@pytest.mark.parametrize("service", SERVICES)
def test_service_subscribes_to_the_topics_whose_cards_name_it(service: str) -> None:
    wanted = topics_subscribed(service)
    patterns = [name for name in wanted if name.startswith("^")]
    received = {
        card.name
        for card in TOPICS
        if PREFIX + card.name in wanted or any(re.match(each, PREFIX + card.name) for each in patterns)
    }
    assert received == {card.name for card in TOPICS if console_name(service) in card.consumers}


def test_messages_are_made_by_the_services_that_their_topics_name_as_producers() -> None:
    for card in MESSAGES:
        if card.model.__name__ not in DEAD_LETTER_MODELS:
            makers = {console_name(service) for service in SERVICES if makes(service, card.model.__name__)}
            assert makers == set(card.topic.producers), card.event_type


def test_dead_letters_are_produced_by_the_services_that_set_messages_aside() -> None:
    makers = {console_name(service) for service in SERVICES if makes(service, "DeadLetters")}
    (producers,) = {card.topic.producers for card in MESSAGES if card.model.__name__ in DEAD_LETTER_MODELS}
    assert makers == set(producers)


def makes(service: str, class_name: str) -> bool:
    return class_name in names_called(service)


@cache
def names_called(service: str) -> set[str | None]:
    # A call is `Name(…)` or `module.Name(…)`.
    paths = ROOT.glob(f"services/*/src/{service}/**/*.py")
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text())))
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    return {getattr(call, name, None) for call in calls for name in ("id", "attr")}


def remove_topic(document: dict[str, Any]) -> None:
    del document["channels"][BOOKINGS_EVENTS.name]


def add_partitions(document: dict[str, Any]) -> None:
    document["channels"][BOOKINGS_EVENTS.name]["bindings"]["kafka"]["partitions"] += 6


def change_key(document: dict[str, Any]) -> None:
    document["channels"][BOOKINGS_EVENTS.name]["x-key"] = "client id"


def take_message_away(document: dict[str, Any]) -> None:
    del document["channels"][BOOKINGS_EVENTS.name]["messages"]["booking.created"]


def narrow_header(document: dict[str, Any]) -> None:
    headers = document["components"]["messages"]["booking.created"]["headers"]
    headers["required"].remove("ce_id")


def change_payload(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["Money"]["properties"]["amount"]["type"] = "number"


@pytest.mark.parametrize(
    "plant", [remove_topic, add_partitions, change_key, take_message_away, narrow_header, change_payload]
)
def test_planted_break_is_found_and_not_written(
    plant: Callable[[dict[str, Any]], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised = asyncapi.document()
    after = copy.deepcopy(promised)
    plant(after)
    committed = tmp_path / "plumbline.json"
    committed.write_text(json.dumps(promised))
    monkeypatch.setattr(asyncapi, "document", lambda: after)
    generated = asyncapi.documents(committed)

    assert "BREAKING" in "".join(write(generated))
    assert json.loads(committed.read_text()) == promised
    assert "BREAKING" in "".join(check(generated))


def test_new_topic_is_no_break() -> None:
    before = asyncapi.document()
    remove_topic(before)
    assert asyncapi.breaking_changes(before, asyncapi.document()) == []


def test_one_name_for_two_shapes_is_refused() -> None:
    other = type("BookingCreated", (WireModel,), {"__annotations__": {"colour": str}})
    cards = [*MESSAGES, MessageCard("booking.painted", other, BOOKINGS_EVENTS)]
    with pytest.raises(ContradictionError, match=r"BookingCreated of booking\.painted"):
        component_schemas(cards)


def test_command_compares_all_kinds_and_refuses_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert main(["--check", "avro"]) == 2
    assert "unknown avro; choose from schemas, asyncapi, openapi" in capsys.readouterr().err
