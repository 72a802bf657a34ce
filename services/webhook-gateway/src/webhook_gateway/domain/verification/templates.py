"""A scheme's templates, compiled once: `items` to patterns, `signed` to a list of parts.

Everything here works on bytes: a header that is not ASCII, or not even text, fails to match like any other
wrong one. All patterns are of bounded length without nested repetition, so matching is linear.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from webhook_gateway.domain.verification.scheme import Algorithm, Encoding, Scheme

HEADER_BYTES_MAX = 4096
"""No provider writes a signature header of a quarter of this."""
SIGNATURES_MAX = 16
"""Each costs a comparison per secret; a provider in the middle of a rotation sends two or three."""

_ED25519_BYTES = 64
# Optional white space around the items of a list (RFC 9110 §5.6.1, OWS).
_SPACE = b" \t"
_SPACES = rb"[ \t]*"
_FIELD = re.compile(r"\{(\w+)\}")
_CALL_FIELDS = {"url", "request_url", "form"}
_TIMESTAMP_PATTERN = rb"(?P<timestamp>[0-9]{1,14})"


class MalformedHeaderError(ValueError):
    """The signature header lacks a part that its scheme needs."""


@dataclass(frozen=True, slots=True)
class CompiledScheme:
    """A scheme, ready for bytes. A header that the scheme does not have is empty.

    Attributes:
        separator: between items, without the white space around it, so empty where that is all; None where
            the header is one item.
        items: what an item of the signature header may look like.
        ordinary: a header with one item of each form, in their order, as nearly all are written; None where
            an item could then say something twice.
        signed: the signed bytes as a format string over the parts by name.
        signs_request: whether they hold more than body, timestamp and message id: the URL called, a form.
    """

    signature_header: bytes
    timestamp_header: bytes
    id_header: bytes
    separator: bytes | None
    items: tuple[re.Pattern[bytes], ...]
    ordinary: re.Pattern[bytes] | None
    signed: bytes
    signs_request: bool


def read_signatures(scheme: Scheme, value: bytes, timestamp: bytes) -> dict[bytes, list[bytes]]:
    """Return the signatures of a header by the timestamp that each was made for.

    Args:
        scheme: how the header is written.
        value: the header as received.
        timestamp: from a header of its own; empty where the scheme has none.

    Raises:
        MalformedHeaderError: too long, no signature, too many, two shared timestamps, or none.
    """
    form = compile_scheme(scheme)
    if len(value) > HEADER_BYTES_MAX:
        raise MalformedHeaderError
    if form.ordinary and (match := form.ordinary.fullmatch(value)):
        fields = match.groupdict()
        return {fields.get("timestamp") or timestamp: [fields["signature"]]}
    return _read_items(scheme, form, value, timestamp)


def _read_items(
    scheme: Scheme, form: CompiledScheme, value: bytes, timestamp: bytes
) -> dict[bytes, list[bytes]]:
    """Read a header with several signatures, several timestamps or items of other schemes."""
    shared = [timestamp] if timestamp else []
    pairs: list[tuple[bytes | None, bytes]] = []
    for item in split_items(value, form.separator):
        fields = _match(form.items, item)
        if "signature" in fields:
            pairs.append((fields.get("timestamp"), fields["signature"]))
        elif "timestamp" in fields:
            shared.append(fields["timestamp"])
    if not 0 < len(pairs) <= SIGNATURES_MAX or len(shared) > 1:
        raise MalformedHeaderError
    return _grouped(pairs, shared[0] if shared else None, needed=scheme.timestamp_unit is not None)


def split_items(value: bytes, separator: bytes | None) -> list[bytes]:
    """Return the items of a header's value, without the white space around them."""
    if separator is None:
        return [value]
    if not separator:
        return value.replace(b"\t", b" ").split(b" ")
    return [item.strip(_SPACE) for item in value.split(separator)]


def combine_lines(lines: list[bytes], separator: bytes | None) -> bytes | None:
    """Return the value of a header that came in several lines; None where it is no comma-separated list.

    The lines of such a list are one list, and a proxy may join them (RFC 9110 §5.3).
    """
    if len(lines) == 1:
        return lines[0]
    return b",".join(lines) if separator == b"," else None


def _match(patterns: tuple[re.Pattern[bytes], ...], item: bytes) -> dict[str, bytes]:
    for pattern in patterns:
        if match := pattern.fullmatch(item):
            return match.groupdict()
    return {}


def _grouped(
    pairs: list[tuple[bytes | None, bytes]], shared: bytes | None, *, needed: bool
) -> dict[bytes, list[bytes]]:
    groups: dict[bytes, list[bytes]] = {}
    for own, signature in pairs:
        timestamp = own or shared
        if timestamp is None and needed:
            raise MalformedHeaderError
        groups.setdefault(timestamp or b"", []).append(signature)
    return groups


@lru_cache(maxsize=256)
def compile_scheme(scheme: Scheme) -> CompiledScheme:
    """Compile a scheme, once: a scheme equals itself alone, so the cached result is found quickly."""
    patterns = {"timestamp": _TIMESTAMP_PATTERN, "signature": _signature_pattern(scheme)}
    items = [
        b"".join(re.escape(literal) + patterns.get(name, b"") for literal, name in _parts(item.strip()))
        for item in scheme.items
    ]
    separator = scheme.separator.encode().strip(_SPACE) if scheme.separator else None
    between = _SPACES + re.escape(separator) + _SPACES if separator else rb"[ \t]+"
    around = b"" if separator is None else _SPACES
    whole = around + between.join(items) + around
    in_header, in_items = scheme.timestamp_header is not None, whole.count(_TIMESTAMP_PATTERN)
    timestamps = in_header + in_items
    is_ordinary = whole.count(patterns["signature"]) == 1 and timestamps == (
        scheme.timestamp_unit is not None
    )
    return CompiledScheme(
        scheme.signature_header.encode(),
        (scheme.timestamp_header or "").encode(),
        (scheme.id_header or "").encode(),
        separator,
        tuple(re.compile(item) for item in items),
        re.compile(whole) if is_ordinary else None,
        b"".join(
            literal.replace(b"%", b"%%") + (b"%%(%b)b" % name.encode() if name else b"")
            for literal, name in _parts(scheme.signed)
        ),
        any(name in _CALL_FIELDS for _, name in _parts(scheme.signed)),
    )


def _parts(template: str) -> list[tuple[bytes, str]]:
    """`a{x}b` as [("a", "x"), ("b", "")]."""
    pieces = _FIELD.split(template)
    return [
        (pieces[i].encode(), pieces[i + 1] if i + 1 < len(pieces) else "") for i in range(0, len(pieces), 2)
    ]


def _signature_pattern(scheme: Scheme) -> bytes:
    if scheme.algorithm is Algorithm.ECDSA:  # DER: as long as its integers happen to be
        return rb"(?P<signature>[A-Za-z0-9+/]{8,256}={0,2})"
    size = _ED25519_BYTES if scheme.algorithm is Algorithm.ED25519 else hashlib.new(scheme.digest).digest_size
    if scheme.encoding is Encoding.HEX:
        return rb"(?P<signature>[0-9a-f]{%d})" % (2 * size)
    digits, padding = -(-size * 8 // 6), b"=" * (-size % 3)
    return rb"(?P<signature>[A-Za-z0-9+/]{%d}%s)" % (digits, padding)
