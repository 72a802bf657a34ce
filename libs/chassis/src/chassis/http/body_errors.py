"""What is wrong with a request's body, by field, in words (ALL-9)."""

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from chassis.http.query_check import known_names
from chassis.process.wording import explain, types_in

_NO_OBJECT = "model_type"  # pydantic's type of the error


def body_errors(body: Any, errors: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield each of pydantic's errors as `field` and `message`.

    Args:
        body: the annotation of the route's body.
        errors: of `ValidationError.errors()`.
    """
    for error in errors:
        path: Sequence[str | int] = error["loc"]
        if (place := _place_of_type(body, path)) is not None:
            if _is_of_other_type(_annotation_at(body, path[:place]), error, path[place]):
                continue
            path = (*path[:place], *path[place + 1 :])
        field = ".".join(map(str, path)) or "body"
        if error["type"] == "extra_forbidden":
            message = f"unknown member, {known_names(str(path[-1]), _members(body, path[:-1]))}"
        else:
            message = explain(error, _annotation_at(body, path))
        yield {"field": field, "message": message}


def _place_of_type(body: Any, path: Sequence[str | int]) -> int | None:
    """Return where `path` names a type: pydantic tries each type of a union, and names it after the field."""
    return next((place for place in range(1, len(path)) if _types(_annotation_at(body, path[:place]))), None)


def _types(annotation: Any) -> Sequence[Any]:
    """Return the types of a union, without None; nothing if that leaves one."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    is_union = get_origin(annotation) in (Union, UnionType)
    types = [each for each in get_args(annotation) if each is not NoneType] if is_union else []
    return types if len(types) > 1 else []


def _is_of_other_type(union: Any, error: Mapping[str, Any], tried: str | int) -> bool:
    """Return True if the error tells that an object came where something else was tried, or the reverse."""
    model = _model_in(union)
    if model is not None and tried == model.__name__:
        return error["type"] == _NO_OBJECT
    return isinstance(error["input"], dict)


def _members(body: Any, path: Sequence[str | int]) -> list[str]:
    """Return the names of the members of the model at `path` in the body."""
    model = _model_in(_annotation_at(body, path))
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


def _annotation_at(body: Any, path: Sequence[str | int]) -> Any:
    """Return the type at `path` in the body. For an entry of a list, the type of the list."""
    for name in path:
        model = _model_in(body)
        if model is not None and isinstance(name, str) and name in model.model_fields:
            field = model.model_fields[name]
            # pydantic moves what `Annotated` holds beside the type.
            body = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        elif isinstance(name, int):
            body = next((get_args(each)[0] for each in types_in(body) if get_origin(each) is list), body)
    return body


def _model_in(annotation: Any) -> type[BaseModel] | None:
    models = (each for each in types_in(annotation) if isinstance(each, type) and issubclass(each, BaseModel))
    return next(models, None)
