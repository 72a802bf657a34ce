"""Text as PostgreSQL can store it, so that a value is the same in a table and in a message (GW-12)."""

REPLACEMENT = "\ufffd"


def sanitize_for_postgres(text: str) -> str:
    """Return the text with U+FFFD in place of U+0000 and of lone surrogates: text and jsonb take neither.

    Both are legal in JSON, and phones send them: half an emoji is a lone surrogate.
    """
    replaced = text.replace("\0", REPLACEMENT)
    if replaced.isascii():
        return replaced
    return replaced.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
