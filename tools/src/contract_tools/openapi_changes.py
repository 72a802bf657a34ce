"""Breaking changes between two versions of an OpenAPI document, for a client of the older one.

A request may demand less and accept more; a response may contain more and promises no less. New kinds of
errors break nobody: a client acts on the status, and `type` says more.
"""

from collections.abc import Iterator

from contract_tools.committed import Object
from contract_tools.differ import Direction, SchemaDiffer

_METHODS = ("get", "post", "put", "patch", "delete")


def breaking_changes(before: Object, after: Object) -> list[str]:
    """Return one line per breaking change; empty when no client would notice."""
    return list(_Comparison(before, after).paths())


class _Comparison:
    """The operations of two versions, side by side."""

    def __init__(self, before: Object, after: Object) -> None:
        self._before = before
        self._after = after
        self._schemas = SchemaDiffer(before, after)

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
                yield from self._responses(where, was[method]["responses"], becomes[method]["responses"])

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
                yield from self._schemas.changes(place, old[key]["schema"], parameter["schema"], "received")

    def _body(self, where: str, was: Object, becomes: Object) -> Iterator[str]:
        old, new = was.get("requestBody", {}), becomes.get("requestBody", {})
        if new.get("required") and not old.get("required"):
            yield f"{where}: a body is now required"
        if old and not new:
            yield f"{where}: takes no body any more"
            return
        yield from self._content(f"{where}: body", old, new, "received")

    def _responses(self, where: str, old: Object, new: Object) -> Iterator[str]:
        for status in (each for each in old if each.startswith("2")):
            if status not in new:
                yield f"{where}: does not answer {status} any more"
                continue
            gone = _part(old[status], "headers").keys() - _part(new[status], "headers").keys()
            yield from (f"{where}: {status} has no {name} any more" for name in sorted(gone))
            yield from self._content(f"{where}: {status}", old[status], new[status], "sent")

    def _content(self, where: str, old: Object, new: Object, direction: Direction) -> Iterator[str]:
        for media_type, was in _part(old, "content").items():
            becomes = _part(new, "content").get(media_type)
            if becomes is None:
                yield f"{where}: is no longer {media_type}"
            else:
                yield from self._schemas.changes(where, was["schema"], becomes["schema"], direction)


def _part(of: Object, name: str) -> Object:
    return of.get(name) or {}
