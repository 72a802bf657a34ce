"""The base of every request body, and what is wrong with one in the caller's words (ALL-9)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from chassis.request_checks import known_names, types_in


class RequestBody(BaseModel):
    """Immutable. An unknown member is refused: `dryRun` for `dry_run` would do what was only to be tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def body_errors(body: Any, errors: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield each of pydantic's errors as `field` and `message`.

    Args:
        body: the annotation of the route's body.
        errors: of `ValidationError.errors()`.
    """
    for error in errors:
        place = error["loc"]
        field = ".".join(map(str, place)) or "body"
        message = str(error["msg"]).removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            message = f"unknown member, {known_names(str(place[-1]), _members(body, place[:-1]))}"
        yield {"field": field, "message": message}


def _members(body: Any, place: Sequence[str | int]) -> list[str]:
    """Return the members of the model that stands at a place of the body."""
    for name in place:
        model = _model_in(body)
        if model is not None and isinstance(name, str) and name in model.model_fields:
            body = model.model_fields[name].annotation
    model = _model_in(body)
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    kinds = (each for each in types_in(annotation) if isinstance(each, type) and issubclass(each, BaseModel))
    return next(kinds, None)
