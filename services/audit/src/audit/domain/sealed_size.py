"""Size of an entry's sealed form: an entry bundle of C2SP tlog-tiles gives its length 16 bits (AU-4)."""

import hashlib
from collections.abc import Mapping

import msgspec

METADATA_BYTES_MAX = 32_768
"""Longest metadata of an entry, as JSON in UTF-8. The other members take less than half of the sealed form:
each is an id of at most 255 ASCII characters, or an error text of at most 500 characters."""

CUT = "cut"
"""Member of metadata that was cut: the names that are missing, and size and digest of the whole."""

_CUT_BYTES_MAX = 4_096
_NAMES_MAX = 20
_NAME_CHARACTERS_MAX = 60


def metadata_json(metadata: Mapping[str, object]) -> tuple[str, str | None]:
    """Return metadata as the JSON text of an entry, and the whole text if it had to be cut.

    Metadata of more than METADATA_BYTES_MAX bytes keeps the members that fit, in order. Its member `cut`
    names the missing ones (at most 20), and has size and SHA-256 of the whole text, which belongs to the
    payload.
    """
    whole = msgspec.json.encode(metadata)
    if len(whole) <= METADATA_BYTES_MAX:
        return whole.decode(), None
    kept: dict[str, object] = {}
    missing: list[str] = []
    room = METADATA_BYTES_MAX - _CUT_BYTES_MAX
    for name, value in metadata.items():
        size = len(msgspec.json.encode({name: value}))
        if size <= room and name != CUT:
            kept[name] = value
            room -= size
        else:
            missing.append(name[:_NAME_CHARACTERS_MAX])
    kept[CUT] = {
        "members": missing[:_NAMES_MAX],
        "bytes": len(whole),
        "sha256": hashlib.sha256(whole).hexdigest(),
    }
    return msgspec.json.encode(kept).decode(), whole.decode()
