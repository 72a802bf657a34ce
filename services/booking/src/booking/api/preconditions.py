"""Preconditions of a write: If-Match (RFC 9110 §13.1.1) and Idempotency-Key."""

import re

from chassis.http import Problem

IDEMPOTENCY_KEY_CHARACTERS_MAX = 255

_ANY = "*"
_ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_ENTITY_TAGS = re.compile(rf"\s*{_ENTITY_TAG}(?:\s*,\s*{_ENTITY_TAG})*\s*")
_VERSION = re.compile(r'(?<!W/)"([1-9][0-9]{0,17})"')


def accepted_versions(if_match: str | None) -> frozenset[int] | None:
    """Return the versions that an If-Match header accepts; None accepts any.

    A weak tag and a tag of another form are well-formed and match no version.

    Raises:
        Problem: 400 `malformed-if-match`.
    """
    if if_match is None or if_match.strip() == _ANY:
        return None
    if not _ENTITY_TAGS.fullmatch(if_match):
        raise Problem(400, "malformed-if-match", 'If-Match: expected a version in quotes, such as "3"')
    return frozenset(int(version) for version in _VERSION.findall(if_match))


def parse_idempotency_key(key: str | None) -> str | None:
    """Return the key unchanged; None without one.

    Raises:
        Problem: 400 `malformed-idempotency-key`: empty, too long, or not printable ASCII.
    """
    if key is None:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_CHARACTERS_MAX or not (key.isascii() and key.isprintable()):
        raise Problem(
            400,
            "malformed-idempotency-key",
            f"Idempotency-Key: expected 1 to {IDEMPOTENCY_KEY_CHARACTERS_MAX} printable ASCII characters",
        )
    return key
