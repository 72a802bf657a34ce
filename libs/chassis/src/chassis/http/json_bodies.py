"""Request bodies: media type, strict JSON, and the base of every body model (ALL-9)."""

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from math import isinf
from typing import Any, ClassVar, NoReturn, Self, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from pydantic import BaseModel, ConfigDict

from chassis.http.host_and_origin import RawHeaders, header_values
from chassis.http.problems import UNSUPPORTED_MEDIA_TYPE, InvalidRequestError, Problem
from chassis.process.terminal import printable
from chassis.process.wording import GOT_CHARACTERS_MAX, shown

_WHOLE = "body"  # the field's name of an error that no member has
_OPTION = "takes_text"
# The only way to write U+0000 in JSON.
_ESCAPED_ZERO = b"\\u0000"


class RequestBody(BaseModel):
    """Immutable base of a body. Unknown members are refused: `dryRun` for `dry_run` would run for real.

    Attributes:
        EXAMPLE: a body that its routes accept, for the OpenAPI document.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    EXAMPLE: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def model_validate(cls, obj: Any, *, strict: bool | None = None, **options: Any) -> Self:
        """Validate as pydantic does, but let `strict=False` not loosen a strict field such as `StrictBool`.

        The framework always passes `strict=False`.
        """
        return super().model_validate(obj, strict=strict or None, **options)


class JsonRequest(Request[Any, Any, Any]):
    """A request whose body is strict JSON."""

    async def json(self) -> Any:
        """Return the body as `read_json` reads it.

        Raises:
            InvalidRequestError: the body is no strict JSON (answered as 400).
        """
        return read_json(await self.body())


def takes_text() -> dict[str, Any]:
    """Return the `opt` of a route whose body is text of a protocol of others, not JSON."""
    return {_OPTION: True}


async def require_json(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise a problem (415) for a body that is compressed or not declared as JSON. Guard of every route."""
    headers = list(connection.scope["headers"])
    if _is_compressed(headers):
        raise Problem(415, UNSUPPORTED_MEDIA_TYPE, "a body is not compressed here: omit Content-Encoding")
    if not handler.opt.get(_OPTION) and not is_json_if_any(headers):
        expected = "a body is JSON here: send Content-Type: application/json"
        raise Problem(415, UNSUPPORTED_MEDIA_TYPE, f"{expected}{_came(headers)}")


def is_json_if_any(headers: RawHeaders) -> bool:
    """Return whether the request has no body, or declares its body as JSON."""
    lengths = header_values(headers, b"content-length")
    is_chunked = bool(header_values(headers, b"transfer-encoding"))
    if not is_chunked and all(length.strip() == "0" for length in lengths):
        return True
    types = header_values(headers, b"content-type")
    return len(types) == 1 and types[0].partition(";")[0].strip().lower() == "application/json"


def _came(headers: RawHeaders) -> str:
    types = header_values(headers, b"content-type")
    return f", got {printable(types[0][:GOT_CHARACTERS_MAX])}" if types else ""


def _is_compressed(headers: RawHeaders) -> bool:
    values = header_values(headers, b"content-encoding")
    codings = {coding.strip().lower() for value in values for coding in value.split(",")}
    return bool(codings - {"", "identity"})


def read_json(body: bytes) -> Any:
    """Return a body read as JSON in UTF-8, without repeated members, U+0000 or numbers that are not finite.

    A byte order mark before the JSON is ignored (RFC 8259 §8.1).

    Raises:
        InvalidRequestError: the body is no such JSON (answered as 400).
    """
    try:
        value = json.loads(
            body.removeprefix(BOM_UTF8).decode(),
            object_pairs_hook=_unique_members,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
    except InvalidRequestError:
        raise
    except UnicodeDecodeError as error:
        raise InvalidRequestError("body", f"not UTF-8 (byte {error.start + 1})") from None
    except json.JSONDecodeError as error:
        raise InvalidRequestError("body", _not_json(error)) from None
    except RecursionError:
        raise InvalidRequestError("body", "nested too deeply") from None
    except ValueError:  # of Python's int: thousands of digits
        _refuse_number("")
    if _ESCAPED_ZERO in body:
        _refuse_zeros(value, _WHOLE)
    return value


def _not_json(error: json.JSONDecodeError) -> str:
    place = f"line {error.lineno}, character {error.colno}"
    if error.pos >= len(error.doc):
        return f"not JSON: it ends too early ({place})"
    came = shown(error.doc[error.pos : error.pos + 10])
    return f'not JSON at {place}, got {came}; expected a JSON object such as {{"name": "Ana"}}'


def _refuse_zeros(value: Any, path: str) -> None:
    """Raise for the first text with U+0000. PostgreSQL stores none, and another character is another text."""
    match value:
        case str() if "\0" in value:
            raise InvalidRequestError(path, "has a character that no text can hold (U+0000); remove it")
        case dict():
            members = cast("dict[str, Any]", value)
            for name, member in members.items():
                inner = name if path == _WHOLE else f"{path}.{name}"
                _refuse_zeros(name, inner)
                _refuse_zeros(member, inner)
        case list():
            for index, item in enumerate(cast("list[Any]", value)):
                _refuse_zeros(item, f"{path}.{index}")
        case _:
            pass


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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
