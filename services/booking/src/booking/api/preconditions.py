"""Preconditions of a write: If-Match (RFC 9110 §13.1.1)."""

import re

from chassis.http import Problem

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
