"""What a client of one OpenAPI document would stumble over in the next.

A request may ask for less and take more; an answer may tell more and promise no less. New kinds of errors
break nobody: a client acts on the status, and `type` says more.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Object = Mapping[str, Any]
Way = Literal["request", "answer"]

_METHODS = ("get", "post", "put", "patch", "delete")
_TIGHTER_WHEN_GREATER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_TIGHTER_WHEN_LESS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_SAME = ("format", "const", "pattern")
_MARK = "unreadable"
"""Member of what stands in a list for a row that cannot be shown (decision 0034). Without the mark the whole
list is an error, so it takes nothing from any client."""


def breaking_changes(before: Object, after: Object) -> list[str]:
    """One line per change; empty when no client would notice."""
    return list(_Comparison(before, after).paths())


class _Comparison:
    """Two documents, side by side."""

    def __init__(self, before: Object, after: Object) -> None:
        self._before = before
        self._after = after
        self._compared: set[tuple[str, str, Way]] = set()

    def paths(self) -> Iterator[str]:
        for path, was in self._before["paths"].items():
            becomes = self._after["paths"].get(path, {})
            for method in _METHODS:
                if method not in was:
                    continue
                where = f"{method.upper()} {path}"
                if method not in becomes:
                    yield f"{where}: is gone"
                    continue
                yield from self._parameters(where, was[method], becomes[method])
                yield from self._body(where, was[method], becomes[method])
                yield from self._answers(where, was[method]["responses"], becomes[method]["responses"])

    def _parameters(self, where: str, was: Object, becomes: Object) -> Iterator[str]:
        old = {(each["in"], each["name"]): each for each in was.get("parameters", ())}
        new = {(each["in"], each["name"]): each for each in becomes.get("parameters", ())}
        for key in sorted(old.keys() - new.keys()):
            yield f"{where}: parameter {key[1]} is gone"
        for key, parameter in new.items():
            demanded = parameter.get("required") and not old.get(key, {}).get("required")
            if demanded:
                yield f"{where}: parameter {key[1]} is now required"
            if key in old:
                place = f"{where}: parameter {key[1]}"
                yield from self._schema(place, old[key]["schema"], parameter["schema"], "request")

    def _body(self, where: str, was: Object, becomes: Object) -> Iterator[str]:
        old, new = was.get("requestBody", {}), becomes.get("requestBody", {})
        if new.get("required") and not old.get("required"):
            yield f"{where}: a body is now required"
        if old and not new:
            yield f"{where}: takes no body any more"
            return
        yield from self._content(f"{where}: body", old, new, "request")

    def _answers(self, where: str, old: Object, new: Object) -> Iterator[str]:
        for status in (each for each in old if each.startswith("2")):
            if status not in new:
                yield f"{where}: does not answer {status} any more"
                continue
            gone = _part(old[status], "headers").keys() - _part(new[status], "headers").keys()
            yield from (f"{where}: {status} has no {name} any more" for name in sorted(gone))
            yield from self._content(f"{where}: {status}", old[status], new[status], "answer")

    def _content(self, where: str, old: Object, new: Object, way: Way) -> Iterator[str]:
        for media_type, was in _part(old, "content").items():
            becomes = _part(new, "content").get(media_type)
            if becomes is None:
                yield f"{where}: is no longer {media_type}"
            else:
                yield from self._schema(where, was["schema"], becomes["schema"], way)

    def _schema(self, where: str, was: Object, becomes: Object, way: Way) -> Iterator[str]:
        pair = (str(was.get("$ref")), str(becomes.get("$ref")), way)
        if "$ref" in was and "$ref" in becomes:
            if pair in self._compared:
                return
            self._compared.add(pair)
        old, new = _alternatives(was, self._before), _alternatives(becomes, self._after)
        anything = {"any"}
        missed = old.keys() - new.keys() if way == "request" else new.keys() - old.keys()
        wide = new.keys() if way == "request" else old.keys()
        if missed and wide != anything:
            verb = "may no longer be" if way == "request" else "may now also be"
            yield f"{where}: {verb} {', '.join(sorted(missed))}"
        for kind in sorted(old.keys() & new.keys()):
            yield from self._facets(where, old[kind], new[kind], way)
            yield from self._properties(where, old[kind], new[kind], way)

    def _facets(self, where: str, old: Object, new: Object, way: Way) -> Iterator[str]:
        for name in _SAME:
            if old.get(name) != new.get(name) and (name in old if way == "answer" else name in new):
                yield f"{where}: {name} was {old.get(name)!r}, is {new.get(name)!r}"
        if way == "request":
            for name in (*_TIGHTER_WHEN_GREATER, *_TIGHTER_WHEN_LESS):
                if _is_tighter(name, old.get(name), new.get(name)):
                    yield f"{where}: {name} was {old.get(name)}, is {new[name]}"
        narrow, wide = (new, old) if way == "request" else (old, new)
        if "enum" in narrow:
            lost = set(wide["enum"]) - set(narrow["enum"]) if "enum" in wide else {"anything"}
            if lost:
                verb = "may no longer be" if way == "request" else "may now also be"
                yield f"{where}: {verb} {', '.join(sorted(map(str, lost)))}"

    def _properties(self, where: str, old: Object, new: Object, way: Way) -> Iterator[str]:
        had, has = old.get("properties", {}), new.get("properties", {})
        yield from (f"{where}/{name}: is gone" for name in sorted(had.keys() - has.keys()))
        narrow, wide = (new, old) if way == "request" else (old, new)
        for name in sorted(set(narrow.get("required", ())) - set(wide.get("required", ()))):
            if way == "request" or name in has:
                yield f"{where}/{name}: is {'now required' if way == 'request' else 'no longer always there'}"
        for name in sorted(had.keys() & has.keys()):
            yield from self._schema(f"{where}/{name}", had[name], has[name], way)
        for key in ("items", "additionalProperties"):
            if isinstance(old.get(key), Mapping) and isinstance(new.get(key), Mapping):
                yield from self._schema(f"{where}[]", old[key], new[key], way)


def _part(of: Object, name: str) -> Object:
    return of.get(name) or {}


def _alternatives(schema: Object, document: Object) -> dict[str, Object]:
    """Kind → schema, of everything that a value may be; a schema that says nothing takes anything."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/components/schemas/")
        return _alternatives(document["components"]["schemas"][name], document)
    if options := schema.get("oneOf") or schema.get("anyOf"):
        return {
            kind: each
            for option in options
            for kind, each in _alternatives(option, document).items()
            if _MARK not in each.get("required", ())
        }
    kinds = schema.get("type", "any")
    return {str(kind): schema for kind in ([kinds] if isinstance(kinds, str) else kinds)}


def _is_tighter(name: str, old: float | None, new: float | None) -> bool:
    if new is None:
        return False
    return old is None or (new > old if name in _TIGHTER_WHEN_GREATER else new < old)
