"""Phone numbers in E.164, by the numbering plans of the package `phonenumbers` (decision 0042)."""

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

# The package also accepts letters, extensions and numbers inside of sentences. None of these is a number to
# which a message can be sent.
_WRITTEN = re.compile(r"\+?[0-9 ().\-/]{5,40}")
_DASHES = re.compile(r"[\u2010-\u2015\u2212]")

COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""Countries with a numbering plan, as ISO 3166 alpha-2 codes."""


def to_e164(text: str, country: str | None) -> str | None:
    """Return a phone number in E.164, such as +13125550100; None for a text that is no usable number.

    Only the length is checked against the numbering plan: a plan opens new ranges between two releases.

    Args:
        text: a number as people write one, with or without its country's code.
        country: ISO 3166 alpha-2 code, whose plan reads a number without `+`; None: only numbers with
            `+` are usable.
    """
    written = _DASHES.sub("-", unicodedata.normalize("NFKC", text)).strip()
    if not _WRITTEN.fullmatch(written):
        return None
    try:
        number = phonenumbers.parse(written, country)
    except NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
