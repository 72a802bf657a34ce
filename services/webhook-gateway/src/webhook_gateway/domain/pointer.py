"""Finds a value by JSON Pointer (RFC 6901)."""

from typing import Any

# A parsed pointer: its reference tokens, unescaped.
Pointer = tuple[str, ...]


class PointerError(ValueError):
    """The text is no JSON Pointer; the message says why."""


def parse_pointer(text: str) -> Pointer:
    """Return the tokens of a pointer such as `/data/object/id`.

    Raises:
        PointerError: it does not begin with "/", or holds a "~" that is neither ~0 nor ~1.
    """
    if not text.startswith("/"):
        raise PointerError(f'"{text}" is no JSON Pointer: it has to begin with "/"')
    if "~" in text.replace("~0", "").replace("~1", ""):
        raise PointerError(f'"{text}" is no JSON Pointer: "~" is written "~0", "/" in a name "~1"')
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/"))


def find(value: object, pointer: Pointer) -> object:
    """Return the value at the pointer; None if there is none."""
    current: Any = value
    try:
        for token in pointer:
            current = current[token]  # of JSON's types, only an object has a value for a text
    except (KeyError, TypeError):
        return _find_in_arrays(value, pointer)
    return current


def _find_in_arrays(value: object, pointer: Pointer) -> object:
    current: Any = value
    for token in pointer:
        if isinstance(current, dict):
            current = current.get(token)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON
        elif isinstance(current, list) and is_index(token):
            items: list[Any] = current  # pyright: ignore[reportUnknownVariableType] - any JSON
            current = items[int(token)] if int(token) < len(items) else None
        else:
            return None
    return current  # pyright: ignore[reportUnknownVariableType] - any JSON


def is_index(token: str) -> bool:
    """Return whether the token can be an index of an array, below a million."""
    return token.isascii() and token.isdigit() and len(token) < len("1000000")
