"""Text from outside, made fit for a text column (GW-12)."""

REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """The text with U+FFFD for what PostgreSQL refuses in text and jsonb: U+0000 and lone surrogates.

    Both are legal in JSON and phones really send them: half an emoji is a lone surrogate.
    """
    replaced = text.replace("\0", REPLACEMENT)
    return "".join(REPLACEMENT if "\ud800" <= character <= "\udfff" else character for character in replaced)
