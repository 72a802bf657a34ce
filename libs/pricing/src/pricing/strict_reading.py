"""Strict conversion of decoded JSON and TOML: exact types, and an error in one line that names the place."""

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

_PLACE = re.compile(r"(.*) - at `\$\.?(.*)`")
_TYPES = re.compile(r"`([a-z]+(?: \| [a-z]+)*)`")
_WORDS = {
    "int": "a whole number",
    "float": "a decimal number",
    "str": "text",
    "bool": "true or false",
    "object": "an object in {}",
    "array": "a list in []",
}
_KEY = re.compile(r"Object (missing required|contains unknown) field `(.*)`")


def read_strictly(value: object, form: type[T], place: str = "") -> T:
    """Return the value as `form`. 1.0 and `true` are no integers.

    Raises:
        ValueError: `<place>: <problem>`, with the path of the first wrong entry below `place`.
    """
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        raise ValueError(_place_first(str(error), place)) from error
    except UnicodeEncodeError as error:
        raise ValueError(_place_first("a text has half of a surrogate pair", place)) from error


def _place_first(message: str, place: str) -> str:
    """Move the place to the front, and say types in words.

    msgspec names the place last, and a missing or unknown key within the text.
    """
    problem, path = match.groups() if (match := _PLACE.fullmatch(message)) else (message, "")
    key = ""
    if match := _KEY.fullmatch(problem):
        problem, key = ("missing" if "missing" in match[1] else "unknown key"), match[2]
    problem = _TYPES.sub(
        lambda types: " or ".join(_WORDS.get(each, each) for each in types[1].split(" | ")), problem
    )
    problem = problem.replace("Expected ", "expected ", 1)
    places = ".".join(part for part in (place, path, key) if part)
    return f"{places}: {problem}" if places else problem
