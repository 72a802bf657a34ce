"""Comparison of two versions of a JSON schema, with a direction.

Values cross a contract in one direction. The side outside of this system keeps the old version:

* `sent`: this system sends (a message, a response). New values must fit the old schema.
* `received`: this system receives (a request). Old values must fit the new schema.

In both directions a property must not disappear.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

Object = Mapping[str, Any]
Direction = Literal["sent", "received"]

_EQUAL = ("format", "const", "pattern")
_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_NESTED = ("items", "additionalProperties")
_ANYTHING = "any"
# Members by which an alternative breaks no consumer. `unreadable`: a list may contain this mark for a stored
# row that cannot be shown (decision 0034); without the mark the whole list is an error. `as_of`: an answer of
# another shape that only the query parameter `as_of` brings (decision 0043).
_MARKS = frozenset({"unreadable", "as_of"})


class SchemaDiffer:
    """Compares schemas of two versions of a document; each pair of referenced schemas is compared once."""

    def __init__(self, before: Object, after: Object) -> None:
        self._before = before
        self._after = after
        self._compared: set[tuple[str, str, Direction]] = set()

    def changes(self, place: str, old: Object, new: Object, direction: Direction) -> Iterator[str]:
        """Yield the breaking changes from schema `old` to `new`, one line each, starting with the place."""
        if "$ref" in old and "$ref" in new:
            pair = (str(old["$ref"]), str(new["$ref"]), direction)
            if pair in self._compared:
                return
            self._compared.add(pair)
        before, after = _alternatives(old, self._before), _alternatives(new, self._after)
        possible, accepted = (after, before) if direction == "sent" else (before, after)
        if refused := possible.keys() - accepted.keys() if _ANYTHING not in accepted else ():
            yield f"{place}: {_verb(direction)} {', '.join(sorted(refused))}"
        for kind in sorted(before.keys() & after.keys()):
            yield from self._values(place, before[kind], after[kind], direction)
            yield from self._properties(place, before[kind], after[kind], direction)
            yield from self._nested(place, before[kind], after[kind], direction)

    def _values(self, place: str, old: Object, new: Object, direction: Direction) -> Iterator[str]:
        possible, accepted = (new, old) if direction == "sent" else (old, new)
        for name in _EQUAL:
            if name in accepted and possible.get(name) != accepted[name]:
                yield f"{place}: {name} was {old.get(name)!r}, is {new.get(name)!r}"
        if direction == "received":
            for name in (*_LOWER_BOUNDS, *_UPPER_BOUNDS):
                if _is_tighter(name, old.get(name), new.get(name)):
                    yield f"{place}: {name} was {old.get(name)}, is {new[name]}"
        if "enum" in accepted:
            refused = set(possible["enum"]) - set(accepted["enum"]) if "enum" in possible else {"anything"}
            # A closed list of sent values may be opened on purpose.
            opened = direction == "sent" and set(old["enum"]) <= set(new.get("x-extensible-enum", ()))
            if refused and not opened:
                yield f"{place}: {_verb(direction)} {', '.join(sorted(map(str, refused)))}"

    def _properties(self, place: str, old: Object, new: Object, direction: Direction) -> Iterator[str]:
        had, has = old.get("properties", {}), new.get("properties", {})
        yield from (f"{place}/{name}: is gone" for name in sorted(had.keys() - has.keys()))
        possible, accepted = (new, old) if direction == "sent" else (old, new)
        for name in sorted(set(accepted.get("required", ())) - set(possible.get("required", ()))):
            if direction == "received":
                yield f"{place}/{name}: is now required"
            elif name in has or name not in had:
                yield f"{place}/{name}: is no longer always there"
        if (
            accepted.get("additionalProperties") is False
            and possible.get("additionalProperties") is not False
        ):
            yield f"{place}: {_verb(direction)} an object with further properties"
        for name in sorted(had.keys() & has.keys()):
            yield from self.changes(f"{place}/{name}", had[name], has[name], direction)

    def _nested(self, place: str, old: Object, new: Object, direction: Direction) -> Iterator[str]:
        for key in _NESTED:
            was, becomes = old.get(key), new.get(key)
            accepted, possible = (was, becomes) if direction == "sent" else (becomes, was)
            if isinstance(accepted, Mapping) and possible is not False:
                yield from self.changes(f"{place}[]", _schema(was), _schema(becomes), direction)


def resolve(schema: Object, document: Object) -> Object:
    """Return the schema, or the part of the document that its `$ref` points to."""
    if "$ref" not in schema:
        return schema
    part: Any = document
    for step in str(schema["$ref"]).removeprefix("#/").split("/"):
        part = part[step]
    return resolve(part, document)


def _alternatives(schema: Object, document: Object) -> dict[str, Object]:
    """Return kind → schema for everything that a value may be; a schema without a type accepts anything."""
    resolved = resolve(schema, document)
    options = resolved.get("oneOf") or resolved.get("anyOf")
    if not options:
        kinds = resolved.get("type", _ANYTHING)
        return {str(kind): resolved for kind in ([kinds] if isinstance(kinds, str) else kinds)}
    branches: dict[str, Object] = {}
    for option in options:
        for kind, each in _alternatives(option, document).items():
            if _MARKS.isdisjoint(each.get("required", ())):
                # Two alternatives of one type are told apart by their titles.
                branches[f"{kind} {each.get('title', len(branches))}" if kind in branches else kind] = each
    return branches


def _schema(value: object) -> Object:
    return cast("Object", value) if isinstance(value, Mapping) else {}


def _verb(direction: Direction) -> str:
    return "may now also be" if direction == "sent" else "may no longer be"


def _is_tighter(name: str, old: float | None, new: float | None) -> bool:
    if new is None:
        return False
    return old is None or (new > old if name in _LOWER_BOUNDS else new < old)
