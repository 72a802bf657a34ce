"""Strict JSON (GW-12): UTF-8, well-formed, at most 64 levels, no NaN or Infinity; the last of a name counts.

msgspec reads almost everything at a tenth of the cost, and a third of that where an `Outline` says what is
wanted: the rest is checked and passed over. It refuses some legal JSON that phones really send (lone
surrogates, numbers beyond 64 bits), so what it refuses gets a slow second look by the standard library.
Depth is measured before either parser runs: neither then recurses further than that.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any, TypedDict, cast

import msgspec

from contracts.reasons import RefusalReason
from webhook_gateway.domain.pointer import Pointer, is_index
from webhook_gateway.domain.refused import Refused

DEPTH_LEVELS_MAX = 64

# An unclosed string runs to the end, so that no position is scanned twice.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS_AS_INT_MAX = 20


class Document(msgspec.Struct, frozen=True):
    """A parsed body: dict, list, str, int, bool, None, float, and text for numbers of very many digits.

    Attributes:
        value: what it says; read by an outline, it may lack whatever the outline does not ask for.
        media_type: what it was read as, whatever the sender called it.
    """

    value: object
    media_type: str = "application/json"


class Outline:
    """The values needed of a body, compiled.

    Args:
        pointers: to the needed values; the empty one leads to everything.
    """

    def __init__(self, pointers: Iterable[Pointer]) -> None:
        # Raises msgspec.MsgspecError if the body is no JSON, or no object where one was expected.
        self.decode = msgspec.json.Decoder(_msgspec_type(set(pointers))).decode


def parse(body: bytes, outline: Outline | None = None) -> Document | Refused:
    """Return the body as strict JSON; all of it, where no outline says what is wanted.

    A byte order mark before it is ignored (RFC 8259 §8.1): some senders write one, and sign it. Escaped
    U+0000 and lone surrogates are legal and stay in the values.
    """
    body = body.removeprefix(BOM_UTF8)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Refused(RefusalReason.BODY_NOT_JSON)
    if _is_too_deep(body):
        return Refused(RefusalReason.BODY_NOT_JSON)
    for candidate in (outline, WHOLE) if outline else (WHOLE,):
        try:
            return Document(candidate.decode(body))
        except msgspec.ValidationError:
            continue  # JSON, of another outline or with a number that msgspec does not hold
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
    return _parse_slowly(text)


def _msgspec_type(pointers: AbstractSet[Pointer]) -> Any:
    """Return a type for msgspec: an object with the needed names or null; Any where all is needed.

    Where a pointer may lead into an array nothing is left out.
    """
    if any(not pointer or is_index(pointer[0]) for pointer in pointers):
        return Any
    names = {pointer[0] for pointer in pointers}
    below = {
        name: _msgspec_type({pointer[1:] for pointer in pointers if pointer[0] == name}) for name in names
    }
    return cast("Any", TypedDict)("_Outline", below, total=False) | None  # known at run time only


WHOLE = Outline({()})


def _parse_slowly(text: str) -> Document | Refused:
    try:
        value: object = json.loads(text, parse_int=_whole_number, parse_constant=_refuse_constant)
    except ValueError:
        return Refused(RefusalReason.BODY_NOT_JSON)
    return Document(value)


def _whole_number(digits: str) -> int | str:
    """Python converts no more than 4,300 digits; a number of that kind is legal, and nothing we count."""
    return int(digits) if len(digits) <= _DIGITS_AS_INT_MAX else digits


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _is_too_deep(body: bytes) -> bool:
    # The lengths give the number of brackets, at a quarter of the cost of `count` (Python 3.11).
    if 2 * len(body) - len(body.replace(b"[", b"")) - len(body.replace(b"{", b"")) <= DEPTH_LEVELS_MAX:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _ALL_BUT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEPTH_LEVELS_MAX:
            return True
    return False
