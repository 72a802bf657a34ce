"""Search of a person's data in payloads of any form, for an erasure (AU-6). Nothing here raises."""

import json
import re
import unicodedata
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from typing import cast

# Also dashes and dots of other scripts, and characters without width: telephones put them into numbers.
_SEPARATOR = (
    r"\s().\-/_~\u00ad\u00b7\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2022\u2044\u2060-\u2069\u2212\ufeff"
)
_PHONE = re.compile(rf"[{_SEPARATOR}]*\+?[\d{_SEPARATOR}]{{7,}}")
_DIGITS_MIN = 7
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
_SEPARATORS = f"[{_SEPARATOR}]*"
_RECORD = frozenset({"key", "headers", "value"})
"""Members of a record that described no event: its bytes stand there in base64."""

_DEPTH_MAX = 40


def pattern_of(subject: str) -> re.Pattern[str]:
    """Return the pattern that finds a subject as a whole word, in any case of letters.

    A telephone number is found with any separators between its digits. The digits must be all there: a number
    without its country code finds texts without it.
    """
    text = _plain(subject.strip())
    if _PHONE.fullmatch(text) and sum(map(str.isdigit, text)) >= _DIGITS_MIN:
        digits = [character for character in text if character.isdigit()]
        return re.compile(rf"(?<!\d){_SEPARATORS.join(digits)}(?!\d)")
    before = r"(?<![\w.+\-])" if "@" in text else r"(?<!\w)"
    return re.compile(rf"{before}{re.escape(text)}(?![\w\-]|\.\w)")


def mentions(body: bytes, patterns: list[re.Pattern[str]]) -> bool:
    """Return True if a body mentions one of the subjects, also escaped in JSON or in base64 in a record."""
    text = body.decode("utf-8", "replace")
    if _found(text, patterns):
        return True
    # Without an escape, and outside of records, the text has all strings as they are.
    if "\\" not in text and not ('"headers"' in text and '"value"' in text):
        return False
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return any(_found(each, patterns) for each in _texts(value, _DEPTH_MAX))


def _texts(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict):
        members = cast("dict[str, object]", value)
        if members.keys() == _RECORD:
            yield from _record_texts(members, depth)
        for name, member in members.items():
            yield name
            yield from _texts(member, depth - 1)
    elif depth and isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each, depth - 1)


def _record_texts(record: dict[str, object], depth: int) -> Iterator[str]:
    for encoded in _texts(list(record.values()), depth - 1):
        try:
            content = b64decode(encoded, validate=True).decode("utf-8", "replace")
        except (Base64Error, ValueError):
            continue
        yield content
        try:
            yield from _texts(json.loads(content), depth - 1)
        except (ValueError, RecursionError):
            continue


def _found(text: str, patterns: list[re.Pattern[str]]) -> bool:
    plain = _plain(text)
    return any(pattern.search(plain) for pattern in patterns)


def _plain(text: str) -> str:
    if text.isascii():
        return text.casefold()
    return _OTHER_DIGIT.sub(_ascii_digit, unicodedata.normalize("NFKC", text).casefold())


def _ascii_digit(digit: re.Match[str]) -> str:
    return str(unicodedata.decimal(digit[0]))
