"""JSON Schemas of every message, generated, committed, and compared so that no change breaks a consumer.

    python -m contracts.schemas           # write contracts/schemas/*.json anew; refuses a breaking change
    python -m contracts.schemas --check   # exit 1 when the files are stale, or a message has broken

Inside `v1` fields may only be added (design rule 11). The committed schema is what consumers rely on; the
models of today are compared with it, and nothing here overwrites it with one that breaks them.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.catalogue import MESSAGES, MessageCard

SCHEMAS = Path(__file__).parents[2] / "schemas"
"""The committed files, beside the sources: there in a checkout, not in an installed wheel."""

Schema = Mapping[str, Any]


def schema_of(card: MessageCard) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a message's payload, as its producer writes it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:plumbline:schema:{card.event_type}:v1",
        **card.model.model_json_schema(mode="serialization"),
    }


def breaking_changes(before: Schema, after: Schema) -> list[str]:
    """What a consumer of `before` would stumble over in `after`; empty when it would not notice.

    Allowed: a new property, other words. Breaking: a property gone, no longer always there, of another type
    or format, or with values that consumers do not know.
    """
    return list(_object_changes("", _resolve(before, before), _resolve(after, after), before, after))


def _object_changes(path: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema) -> Iterator[str]:
    for facet in ("type", "format", "const", "pattern", "additionalProperties"):
        if facet in old and old.get(facet) != new.get(facet) and not isinstance(old[facet], Mapping):
            yield f"{path or 'value'}: {facet} was {old[facet]!r}, is {new.get(facet)!r}"
    if gained := _gained(old, new):
        yield f"{path or 'value'}: may now be {', '.join(gained)}, which consumers do not know"
    for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        yield f"{path}/{name}: was always there, no longer is"
    for name, was in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{path}/{name}: is gone"
            continue
        becomes = new["properties"][name]
        yield from _object_changes(
            f"{path}/{name}", _resolve(was, old_root), _resolve(becomes, new_root), old_root, new_root
        )
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), Mapping):
            was, becomes = _resolve(old[key], old_root), _resolve(new.get(key) or {}, new_root)
            yield from _object_changes(f"{path}[]", was, becomes, old_root, new_root)
    yield from _alternative_changes(path, old, new, old_root, new_root)


def _alternative_changes(
    path: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema
) -> Iterator[str]:
    """Alternatives (`X | None`) are matched by position of their type; a new one is news to consumers."""
    was = {_kind(option, old_root): _resolve(option, old_root) for option in old.get("anyOf", ())}
    becomes = {_kind(option, new_root): _resolve(option, new_root) for option in new.get("anyOf", ())}
    for kind in becomes.keys() - was.keys():
        if was:
            yield f"{path}: may now also be {kind}"
    for kind in was.keys() & becomes.keys():
        yield from _object_changes(path, was[kind], becomes[kind], old_root, new_root)
    if bool(was) != bool(becomes):
        yield f"{path}: alternatives were {sorted(was)}, are {sorted(becomes)}"


def _gained(old: Schema, new: Schema) -> list[str]:
    if "enum" not in old:
        return []
    if set(old["enum"]) <= set(new.get("x-extensible-enum", ())):
        return []  # opened on purpose: the model says that further values may come
    return sorted(str(value) for value in set(new.get("enum", ())) - set(old["enum"])) or (
        [] if "enum" in new else ["anything"]
    )


def _kind(option: Schema, root: Schema) -> str:
    resolved = _resolve(option, root)
    return str(resolved.get("title") or resolved.get("type"))


def _resolve(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return root["$defs"][str(reference).removeprefix("#/$defs/")]


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def check() -> list[str]:
    """Findings about the committed files, one line each: broken, stale, missing or left over."""
    findings: list[str] = []
    for card in MESSAGES:
        path = SCHEMAS / f"{card.event_type}.json"
        if not path.exists():
            findings.append(f"{path.name}: missing; run `python -m contracts.schemas`")
            continue
        committed = json.loads(path.read_text(encoding="utf-8"))
        broken = breaking_changes(committed, schema_of(card))
        findings += [f"{path.name}: BREAKING: {change}; make a new version instead" for change in broken]
        if not broken and path.read_text(encoding="utf-8") != _text(schema_of(card)):
            findings.append(f"{path.name}: stale; run `python -m contracts.schemas` and commit")
    known = {f"{card.event_type}.json" for card in MESSAGES}
    left_over = sorted(path.name for path in SCHEMAS.glob("*.json") if path.name not in known)
    return findings + [f"{name}: BREAKING: no message of this type any more" for name in left_over]


def write() -> list[str]:
    """Write the schema files anew, but for messages that broke: those are returned, one finding a line."""
    findings = [finding for finding in check() if "BREAKING" in finding]
    broken = {finding.partition(": ")[0] for finding in findings}
    SCHEMAS.mkdir(exist_ok=True)
    for card in MESSAGES:
        path = SCHEMAS / f"{card.event_type}.json"
        if path.name not in broken:
            path.write_text(_text(schema_of(card)), encoding="utf-8")
    return findings


def main(arguments: Sequence[str]) -> int:
    """Command line: no argument writes, `--check` compares. Returns the exit code."""
    findings = check() if list(arguments) == ["--check"] else write()
    for finding in findings:
        sys.stderr.write(f"schemas: {finding}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
