"""AsyncAPI descriptions of messages: headers, key, payload and the frozen example."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from contract_tools.committed import ROOT
from contracts.catalogue import MessageCard
from contracts.checkpoints import CHECKPOINT_PUBLISHED, NOTE_CONTENT_TYPE
from contracts.metadata import SPEC_VERSION, VERIFICATION_HEADER, MessageMetadata
from contracts.topics import TopicCard

JsonObject: TypeAlias = dict[str, Any]

EXAMPLES = ROOT / "examples"
KAFKA_BINDING_VERSION = "0.5.0"

_COMPONENTS = "#/components/schemas/"

_WORDS = {
    "ce_specversion": "CloudEvents version",
    "ce_id": "event id, unique within ce_source for ever",
    "ce_source": "a service's name, or /webhooks/<source>",
    "ce_type": "what happened",
    "ce_time": "when it happened, RFC 3339 in UTC",
    "ce_subject": "the thing it happened to, usually a booking id",
    "ce_sequence": "the booking's version after the event; order comes from it, never from a clock",
    "ce_correlationid": "id of the event that started the chain",
    "ce_causationid": "id of the event that directly caused this one",
    "traceparent": "W3C trace context of the producer",
    "content-type": "of the value",
}
_ALWAYS = ("ce_specversion", "ce_id", "ce_source", "ce_type", "content-type")


class ContradictionError(ValueError):
    """Two messages define different things under one name; give one of the models another name."""


def message(card: MessageCard) -> JsonObject:
    """Describe a message of the catalogue."""
    example = json.loads((EXAMPLES / f"{card.event_type}.json").read_text(encoding="utf-8"))
    summary, _, more = (card.model.__doc__ or "").strip().partition("\n")
    return {
        "name": card.event_type,
        "title": card.model.__name__,
        "summary": summary,
        **({"description": " ".join(more.split())} if more.strip() else {}),
        "contentType": "application/json",
        "headers": _headers({"ce_type": {"const": card.event_type}}),
        "payload": {"$ref": _COMPONENTS + card.model.__name__},
        "bindings": {"kafka": _key(card.topic)},
        "examples": [{"name": card.event_type, "payload": example}],
    }


def delivery_message(card: TopicCard) -> JsonObject:
    """Describe a webhook delivery: any JSON value, exactly as the provider sent it."""
    source = card.name.split(".")[1]
    own = {
        "ce_source": {"const": f"/webhooks/{source}"},
        "ce_type": {"pattern": rf"^{source}\.", "description": f"{source}.<the provider's own type>"},
    }
    verification = {
        VERIFICATION_HEADER: {
            "type": "string",
            "enum": ["verified", "unverified"],
            "description": "unverified where the flag table let a delivery pass without a valid signature",
        }
    }
    headers = _headers(own)
    return {
        "name": f"{source}.*",
        "title": f"A delivery from {source}",
        "summary": card.purpose,
        "contentType": "application/json",
        "headers": {**headers, "properties": {**headers["properties"], **verification}},
        "payload": {"description": "JSON; shape and meaning are the provider's"},
        "bindings": {"kafka": _key(card)},
    }


def checkpoint_message(card: TopicCard) -> JsonObject:
    """Describe a published checkpoint: a signed note, and no JSON."""
    own = {"ce_type": {"const": CHECKPOINT_PUBLISHED}, "ce_subject": {"description": "the log's origin"}}
    return {
        "name": CHECKPOINT_PUBLISHED,
        "title": "A signed checkpoint",
        "summary": card.purpose,
        "contentType": NOTE_CONTENT_TYPE,
        "headers": _headers(own),
        "payload": {
            "type": "string",
            "description": "a checkpoint (c2sp.org/tlog-checkpoint) as a signed note (c2sp.org/signed-note)",
        },
        "bindings": {"kafka": _key(card)},
    }


def component_schemas(cards: Iterable[MessageCard]) -> JsonObject:
    """Return the payload schemas, and the schemas that they refer to, by name.

    Raises:
        ContradictionError: two different schemas have one name.
    """
    schemas: JsonObject = {}
    for card in cards:
        schema = card.model.model_json_schema(mode="serialization", ref_template=_COMPONENTS + "{model}")
        for name, definition in {**schema.pop("$defs", {}), card.model.__name__: schema}.items():
            if schemas.setdefault(name, definition) != definition:
                raise ContradictionError(f"schema {name} of {card.event_type} differs from another message's")
    return dict(sorted(schemas.items()))


def _headers(narrowed: Mapping[str, JsonObject]) -> JsonObject:
    """Describe the headers that `contracts.metadata` writes, narrowed for one kind of message."""
    properties = {
        name: {"type": "string", "description": _WORDS[name], **narrowed.get(name, {})}
        for name in _header_names()
    }
    properties["ce_specversion"]["const"] = SPEC_VERSION
    return {"type": "object", "properties": properties, "required": list(_ALWAYS)}


def _header_names() -> list[str]:
    everything = MessageMetadata(
        id="i", source="s", type="t", time=datetime(2026, 1, 1, tzinfo=UTC), subject="s", sequence=1,
        correlation_id="c", causation_id="c", traceparent="t",
    )  # fmt: skip
    return [name for name, _ in everything.to_headers()]


def _key(card: TopicCard) -> JsonObject:
    return {
        "key": {"type": "string", "description": card.key},
        "bindingVersion": KAFKA_BINDING_VERSION,
    }
