"""Text as PostgreSQL can store it."""


def storable(text: str) -> str:
    """The text with U+FFFD for what no text column takes: U+0000 and lone surrogates (GW-12)."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
