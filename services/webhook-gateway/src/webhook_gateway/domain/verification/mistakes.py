"""Recognising what cannot be a signing secret (GW-6): a slip of copying, or another key of the provider.

A secret that is wrong in such a way is no error to HMAC: the gateway would be ready, and would refuse every
genuine delivery.
"""

import re
import unicodedata

from webhook_gateway.domain.verification.scheme import SecretFormat

_QUOTES = "\"'`“”„‘’‚«»"  # noqa: RUF001 - what word processors make of them
# Printable by Unicode's categories, and yet not visible (Default_Ignorable_Code_Point; Braille blank).
_BLANKS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_URL = re.compile(r"https?://", re.IGNORECASE)
# Of a template, a shell or an escape; in no secret that a provider draws.
_FOREIGN = re.compile(r"[\\<>{}()$;]")
_PEM = "-----BEGIN"
_SURROGATES = re.compile("[\ud800-\udfff]")


def find_mistake(text: str, look: SecretFormat) -> str:
    """Return why the text cannot be a secret that looks so, never quoting it; empty where nothing is seen.

    Text that is no UTF-8 is left to whoever decodes it.
    """
    if text[:1] in _QUOTES or text[-1:] in _QUOTES:
        where = "begins" if text[:1] in _QUOTES else "ends"
        return f"{where} with a quotation mark: leave the quotation marks out" if text else ""
    if invisible := _invisible(text):
        return f"holds {invisible}, which cannot be seen: copy the secret anew"
    if _URL.match(text):
        return "is a URL, not a secret: copy the signing secret that the provider shows beside it"
    if text.startswith(_PEM):
        return f"begins with {_PEM}, as a key file does: this scheme's secret is one line without it"
    for pattern, meaning in look.lookalikes:
        if beginning := re.match(pattern, text):
            behind = f", and this scheme's secrets begin with {look.prefix}" if look.prefix else ""
            return f"is {meaning}, as its beginning {beginning[1]} tells{behind}"
    return _unlike(text, look)


def _unlike(text: str, look: SecretFormat) -> str:
    """Return what is not as the provider writes it."""
    if look.prefix and not text.startswith(look.prefix) and look.prefix in text.lower():
        return f"holds {look.prefix} in other letters or not at its beginning: copy the secret alone"
    if not look.is_issued:
        return ""
    if " " in text and look.prefix:
        return "holds a space: copy the secret anew, and put commas between several"
    if foreign := _FOREIGN.search(text):
        return f"holds {foreign[0]}, which the provider's secrets never do: copy the secret alone"
    if not text.isascii() and not _SURROGATES.search(text):
        return "holds a character that is not ASCII, which the provider's secrets never do"
    return ""


def _invisible(text: str) -> str:
    """Return the first character that cannot be seen, by its name; empty where all can be."""
    for character in text:
        is_hidden = not character.isprintable() or _BLANKS.match(character)
        if is_hidden and not _SURROGATES.match(character):
            name = unicodedata.name(character, "a control character").lower()
            return f"U+{ord(character):04X} ({name})"
    return ""
