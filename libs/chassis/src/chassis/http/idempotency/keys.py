"""The header Idempotency-Key, and the digests by which a request is known again."""

import hashlib
import json
import re

from chassis.http.json_bodies import read_json
from chassis.http.problems import Problem

HEADER = "Idempotency-Key"
CHARACTERS_MAX = 255

# A string of RFC 9651 §3.3.3, the form of the IETF draft on this header.
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_ESCAPED = re.compile(r"\\(.)")


def parse_key(header: str) -> str:
    """Return the key of a header. `"k"` and `k` are the same key.

    Raises:
        Problem: 400 `malformed-idempotency-key`: empty, too long, not printable ASCII, or half quoted.
    """
    text = header.strip(" \t")
    if text.startswith('"'):
        quoted = _QUOTED.fullmatch(text)
        text = _ESCAPED.sub(r"\1", quoted[1]) if quoted else ""
    if not 1 <= len(text) <= CHARACTERS_MAX or not (text.isascii() and text.isprintable()):
        raise Problem(
            400,
            "malformed-idempotency-key",
            f"{HEADER}: expected 1 to {CHARACTERS_MAX} printable ASCII characters, bare or in double quotes",
        )
    return text


def scope_digest(method: str, caller: str, key: str, path: str) -> bytes:
    """Return the digest that identifies a request: the same key of another caller or route is another key."""
    # Only the path, which is last, can contain a line feed: no two scopes give the same text.
    return hashlib.sha256(f"{method}\n{caller}\n{key}\n{path}".encode()).digest()


def request_digest(body: bytes, query: bytes) -> bytes:
    """Return the digest of a request's content. Spacing and order of members do not matter.

    Raises:
        InvalidRequestError: the body is no strict JSON.
    """
    content = json.dumps(read_json(body), sort_keys=True, separators=(",", ":")).encode() if body else b""
    return hashlib.sha256(content + b"\n" + query).digest()
