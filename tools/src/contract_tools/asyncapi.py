"""The AsyncAPI 3.0 document of all topics (decision 0010).

For each topic: key, partitions, retention, producers, consumers, the headers of a record, and every
message with an example.
"""

from collections.abc import Iterator
from pathlib import Path

from contract_tools.asyncapi_messages import (
    KAFKA_BINDING_VERSION,
    JsonObject,
    checkpoint_message,
    component_schemas,
    delivery_message,
    message,
)
from contract_tools.committed import ROOT, Document, Object
from contract_tools.differ import SchemaDiffer
from contracts.catalogue import MESSAGES
from contracts.checkpoints import CHECKPOINT_PUBLISHED
from contracts.topics import AUDIT_CHECKPOINTS, TOPICS, TopicCard

FILE = ROOT / "asyncapi" / "plumbline.json"

_DESCRIPTION = """Every topic of Plumbline. The value of a record is the payload alone.
Source, type, time and subject of an event are in the headers: CloudEvents 1.0, Kafka binary mode.
Delivery is at least once and in order per key: count a (ce_source, ce_id) once, ignore unknown fields.
A deployment may put a TOPIC_PREFIX before every address and consumer group.
A further webhook source has a topic webhooks.<source>.v1 like that of stripe; audit reads them all."""


def documents(path: Path = FILE) -> list[Document]:
    """Return the one document of all topics."""
    return [
        Document(
            path=path,
            content=document(),
            changes=breaking_changes,
            advice="make a topic of a new version",
            sort_keys=False,
        )
    ]


def document() -> JsonObject:
    """Return the whole document, in a stable order."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Plumbline topics", "version": "1", "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {card.name: _channel(card) for card in TOPICS},
        "operations": dict(operation for card in TOPICS for operation in _operations(card)),
        "components": {
            "messages": {
                **{card.name: delivery_message(card) for card in TOPICS if _carries_deliveries(card)},
                **{card.event_type: message(card) for card in MESSAGES},
                CHECKPOINT_PUBLISHED: checkpoint_message(AUDIT_CHECKPOINTS),
            },
            "schemas": component_schemas(MESSAGES),
        },
    }


def breaking_changes(before: Object, after: Object) -> list[str]:
    """Return what breaks users of the topics of `before`, one line each.

    Other words, another retention and new topics break nobody.
    """
    differ = SchemaDiffer(before, after)
    findings: list[str] = []
    for name, old in before["channels"].items():
        new = after["channels"].get(name)
        findings += [f"topic {name}: is gone"] if new is None else list(_channel_changes(name, old, new))
    for event_type, old in before["components"]["messages"].items():
        if new := after["components"]["messages"].get(event_type):
            for part in ("headers", "payload"):
                findings += differ.changes(f"{event_type}: {part}", old[part], new[part], "sent")
    return findings


def _channel_changes(name: str, old: Object, new: Object) -> Iterator[str]:
    was, becomes = _fixed(old), _fixed(new)
    for part in was:
        if was[part] != becomes[part]:
            yield f"topic {name}: {part} was {was[part]}, is {becomes[part]}: keys would lose their order"
    for event_type in sorted(old["messages"].keys() - new["messages"].keys()):
        yield f"topic {name}: {event_type} no longer travels on it"


def _fixed(channel: Object) -> JsonObject:
    return {"partitions": channel["bindings"]["kafka"]["partitions"], "key": channel["x-key"]}


def _server() -> JsonObject:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "KAFKA_BOOTSTRAP; the default is what `make up` starts",
        "variables": {"bootstrap": {"default": "127.0.0.1:8090"}},
    }


def _channel(card: TopicCard) -> JsonObject:
    config = card.config()
    return {
        "address": card.name,
        "description": card.purpose,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages_on(card)},
        "bindings": {
            "kafka": {
                "topic": card.name,
                "partitions": card.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [config["cleanup.policy"]],
                    "retention.ms": int(config["retention.ms"]),
                    "max.message.bytes": int(config["max.message.bytes"]),
                },
                "bindingVersion": KAFKA_BINDING_VERSION,
            }
        },
        "x-key": card.key,
        "x-producers": list(card.producers),
        "x-consumers": list(card.consumers),
    }


def _operations(card: TopicCard) -> Iterator[tuple[str, JsonObject]]:
    """Yield the senders and receivers of a topic. A topic without messages has none."""
    if not _messages_on(card):
        return
    channel = {"$ref": f"#/channels/{card.name}"}
    for service in card.producers:
        tags = [{"name": service}]
        yield f"{service}.send.{card.name}", {"action": "send", "channel": channel, "tags": tags}
    for service in card.consumers:
        group = {"groupId": {"type": "string", "const": service}, "bindingVersion": KAFKA_BINDING_VERSION}
        receive = {"action": "receive", "channel": channel, "tags": [{"name": service}]}
        yield f"{service}.receive.{card.name}", {**receive, "bindings": {"kafka": group}}


def _messages_on(card: TopicCard) -> list[str]:
    if _carries_deliveries(card):
        return [card.name]
    if card == AUDIT_CHECKPOINTS:
        return [CHECKPOINT_PUBLISHED]
    return [message_card.event_type for message_card in MESSAGES if message_card.topic == card]


def _carries_deliveries(card: TopicCard) -> bool:
    # Webhook deliveries are not in the catalogue: their value is the provider's own bytes.
    return card.name.startswith("webhooks.") and all(each.topic != card for each in MESSAGES)
