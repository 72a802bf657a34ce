"""Strict JSON (GW-12): UTF-8, well-formed, at most 64 levels, no NaN or Infinity; the last of a name counts.

msgspec reads almost everything at a tenth of the cost. It refuses some legal JSON that phones really send
(lone surrogates, numbers beyond 64 bits), so what it refuses gets a slow second look by the standard
library. Depth is measured before either parser runs: neither then recurses further than that.
"""

import json
import re
from dataclasses import dataclass

import msgspec

from contracts.reasons import RefusalReason
from webhook_gateway.domain.refused import Refused

DEPTH_LEVELS_MAX = 64

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""An unclosed string runs to the end, so that no position is scanned twice."""
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS_AS_INT_MAX = 20


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed body: dict, list, str, int, bool, None, and text or anything for other numbers.

    Attributes:
        value: what it says.
        media_type: what it was read as, whatever the sender called it.
    """

    value: object
    media_type: str = "application/json"


def parse(body: bytes) -> Document | Refused:
    """The body as strict JSON. Escaped U+0000 and lone surrogates are legal and stay in the values."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Refused(RefusalReason.BODY_NOT_JSON)
    if _is_too_deep(body):
        return Refused(RefusalReason.BODY_NOT_JSON)
    try:
        return Document(msgspec.json.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _second_look(text)


def _second_look(text: str) -> Document | Refused:
    try:
        value: object = json.loads(
            text, parse_int=_whole_number, parse_float=str, parse_constant=_refuse_constant
        )
    except ValueError:
        return Refused(RefusalReason.BODY_NOT_JSON)
    return Document(value)


def _whole_number(digits: str) -> int | str:
    """Python converts no more than 4,300 digits; a number of that kind is legal, and nothing we count."""
    return int(digits) if len(digits) <= _DIGITS_AS_INT_MAX else digits


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _is_too_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= DEPTH_LEVELS_MAX:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _ALL_BUT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEPTH_LEVELS_MAX:
            return True
    return False
