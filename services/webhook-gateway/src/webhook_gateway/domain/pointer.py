"""JSON Pointer (RFC 6901), as far as finding one value goes."""

Pointer = tuple[str, ...]
"""A parsed pointer: its reference tokens, unescaped."""


class PointerError(ValueError):
    """The text is no JSON Pointer; the message says why."""


def parse_pointer(text: str) -> Pointer:
    """`/data/object/id` as its tokens.

    Raises:
        PointerError: it does not begin with "/", or holds a "~" that is neither ~0 nor ~1.
    """
    if not text.startswith("/"):
        raise PointerError(f'"{text}" is no JSON Pointer: it has to begin with "/"')
    if "~" in text.replace("~0", "").replace("~1", ""):
        raise PointerError(f'"{text}" is no JSON Pointer: "~" is written "~0", "/" in a name "~1"')
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/"))


def find(value: object, pointer: Pointer) -> object:
    """The value the pointer leads to; None where there is none."""
    for token in pointer:
        value = _step(value, token)
    return value


def _step(value: object, token: str) -> object:
    match value:
        case dict():
            return value.get(token)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any JSON
        case list() if token.isascii() and token.isdigit() and len(token) < len("1000000"):
            items: list[object] = value  # pyright: ignore[reportUnknownVariableType] - any JSON
            return items[int(token)] if int(token) < len(items) else None
        case _:
            return None
