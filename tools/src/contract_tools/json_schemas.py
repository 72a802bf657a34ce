"""JSON Schemas of every message. Inside `v1` fields may only be added (design rule 11)."""

from pathlib import Path
from typing import Any

from contract_tools.committed import ROOT, Document, Object
from contract_tools.differ import SchemaDiffer
from contracts.catalogue import MESSAGES, MessageCard

SCHEMAS = ROOT / "schemas"


def documents(folder: Path = SCHEMAS) -> list[Document]:
    """Return the schema of each message of the catalogue."""
    return [
        Document(
            path=folder / f"{card.event_type}.json",
            content=schema_of(card),
            changes=breaking_changes,
            advice="make a new version instead",
        )
        for card in MESSAGES
    ]


def schema_of(card: MessageCard) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a message's payload, as its producer writes it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:plumbline:schema:{card.event_type}:v1",
        **card.model.model_json_schema(mode="serialization"),
    }


def breaking_changes(before: Object, after: Object) -> list[str]:
    """Return what breaks a consumer of `before`, one line each. New properties and other words do not."""
    return list(SchemaDiffer(before, after).changes("value", before, after, "sent"))
