"""The AsyncAPI 3.0 document of all topics, generated, committed and compared (decision 0010).

    python -m contracts.asyncapi           # write contracts/asyncapi/plumbline.json anew; refuses a break
    python -m contracts.asyncapi --check   # exit 1 when the file is stale, or a topic has broken

Whoever reads or writes a topic finds here its key, partitions and retention, who produces and consumes it,
the headers of a record and every message with an example. What may change inside a message is watched by
`contracts.schemas`; here it is the topics that may not go, or change key or partitions, under one version.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.asyncapi_messages import (
    KAFKA_BINDING_VERSION,
    Object,
    component_schemas,
    delivery_message,
    message,
)
from contracts.catalogue import MESSAGES
from contracts.topics import TOPICS, TopicCard

DOCUMENT = Path(__file__).parents[2] / "asyncapi" / "plumbline.json"
"""The committed file: there in a checkout, not in an installed wheel."""

_DESCRIPTION = """Every topic of Plumbline. The value of a record is the payload alone.
Who says what happened, when and to whom stands in its headers: CloudEvents 1.0, Kafka binary mode.
Delivery is at least once and in order per key: count a (ce_source, ce_id) once, ignore unknown fields.
A deployment may put a TOPIC_PREFIX before every address and consumer group.
A further webhook source has a topic webhooks.<source>.v1 like that of stripe; audit reads them all."""


def document() -> Object:
    """The whole document, in a stable order."""
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
            },
            "schemas": component_schemas(MESSAGES),
        },
    }


def breaking_changes(before: Object, after: Object) -> list[str]:
    """What users of the topics of `before` would stumble over; words, retention and new topics are not it."""
    findings: list[str] = []
    for name, old in before["channels"].items():
        new = after["channels"].get(name)
        if new is None:
            findings.append(f"topic {name}: is gone")
            continue
        for what in ("partitions", "key"):
            was, becomes = _fixed(old)[what], _fixed(new)[what]
            if was != becomes:
                findings.append(f"topic {name}: {what} was {was}, is {becomes}: keys would lose their order")
        gone = sorted(old["messages"].keys() - new["messages"].keys())
        findings += [f"topic {name}: {event_type} no longer travels on it" for event_type in gone]
    return findings


def check() -> list[str]:
    """Findings about the committed file, one line each."""
    if not DOCUMENT.exists():
        return [f"{DOCUMENT.name}: missing; run `python -m contracts.asyncapi`"]
    committed = DOCUMENT.read_text(encoding="utf-8")
    broken = breaking_changes(json.loads(committed), document())
    if broken:
        return [f"{DOCUMENT.name}: BREAKING: {change}; make a topic of a new version" for change in broken]
    stale = committed != _text(document())
    return [f"{DOCUMENT.name}: stale; run `python -m contracts.asyncapi` and commit"] if stale else []


def write() -> list[str]:
    """Write the file anew, unless a topic has broken: then nothing is, and the findings are returned."""
    findings = [finding for finding in check() if "BREAKING" in finding]
    if not findings:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(_text(document()), encoding="utf-8")
    return findings


def main(arguments: Sequence[str]) -> int:
    """Command line: no argument writes, `--check` compares. Returns the exit code."""
    findings = check() if list(arguments) == ["--check"] else write()
    for finding in findings:
        sys.stderr.write(f"asyncapi: {finding}\n")
    return 1 if findings else 0


def _server() -> Object:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "KAFKA_BOOTSTRAP; the default is what `make up` starts",
        "variables": {"bootstrap": {"default": "127.0.0.1:8090"}},
    }


def _channel(card: TopicCard) -> Object:
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


def _operations(card: TopicCard) -> Iterator[tuple[str, Object]]:
    """Who sends and who receives; nothing for a topic on which no message travels yet."""
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
    return [message_card.event_type for message_card in MESSAGES if message_card.topic == card]


def _carries_deliveries(card: TopicCard) -> bool:
    """Webhook deliveries stand in no catalogue: their value is the provider's own bytes."""
    return card.name.startswith("webhooks.") and all(each.topic != card for each in MESSAGES)


def _fixed(channel: Mapping[str, Any]) -> dict[str, Any]:
    return {"partitions": channel["bindings"]["kafka"]["partitions"], "key": channel["x-key"]}


def _text(content: Object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
