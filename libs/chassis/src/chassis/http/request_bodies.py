"""The base of every request body, and what is wrong with one in the caller's words (ALL-9)."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from math import isinf
from typing import Any, NoReturn, Self

from litestar import Request
from pydantic import BaseModel, ConfigDict

from chassis.http.request_checks import InvalidRequestError, known_names, types_in


class RequestBody(BaseModel):
    """Immutable. An unknown member is refused: `dryRun` for `dry_run` would do what was only to be tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def model_validate(cls, obj: Any, *, strict: bool | None = None, **named: Any) -> Self:
        """Validate as pydantic does, but let `strict=False` not undo what a field states, as `StrictBool`.

        The framework always says `strict=False`.
        """
        return super().model_validate(obj, strict=strict or None, **named)


class JsonRequest(Request[Any, Any, Any]):
    """A request whose body is strict JSON."""

    async def json(self) -> Any:
        """Return the body as `read_json` reads it.

        Raises:
            InvalidRequestError: it is no such JSON (answered as 400).
        """
        return read_json(await self.body())


def read_json(body: bytes) -> Any:
    """Return a body as JSON that has one reading: in UTF-8, no member twice in an object, no NaN.

    A byte order mark before it is ignored (RFC 8259 §8.1).

    Raises:
        InvalidRequestError: it is no such JSON.
    """
    try:
        return json.loads(
            body.removeprefix(BOM_UTF8).decode(),
            object_pairs_hook=_unambiguous,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
    except InvalidRequestError:
        raise
    except UnicodeDecodeError as error:
        raise InvalidRequestError("body", f"not UTF-8 (byte {error.start + 1})") from None
    except json.JSONDecodeError as error:
        raise InvalidRequestError("body", f"not JSON: {error.msg} (character {error.pos + 1})") from None
    except RecursionError:
        raise InvalidRequestError("body", "nested too deeply") from None
    except ValueError:  # of Python's int: thousands of digits
        _refuse_number("")


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise InvalidRequestError(name, "given more than once in one object; give it once")
        members[name] = value
    return members


def _finite(text: str) -> float:
    number = float(text)
    return _refuse_number(text) if isinf(number) else number


def _refuse_number(_text: str) -> NoReturn:
    raise InvalidRequestError("body", "has a number that is not finite, or too large")


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
