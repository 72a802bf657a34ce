"""Arguments of a route: its handler's, and those of the dependencies that the handler takes."""

from collections.abc import Mapping

from litestar.handlers import BaseRouteHandler
from litestar.typing import FieldDefinition


def arguments_of(handler: BaseRouteHandler) -> Mapping[str, FieldDefinition]:
    """Return the arguments of a handler and of the dependencies that it takes, by name."""
    provided = handler.resolve_dependencies()
    fields: dict[str, FieldDefinition] = {}
    signatures = [handler.parsed_fn_signature]
    while signatures:
        for name, field in signatures.pop().parameters.items():
            if name not in fields and name in provided:
                signatures.append(provided[name].parsed_fn_signature)
            fields.setdefault(name, field)
    return fields
