"""A reader of the sealed log for tests: it trusts nothing but SHA-256, and states RFC 6962 anew."""

import hashlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from harness import Stack

EMPTY = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class SealedLog:
    """Leaves and head of a log, read as superuser."""

    entry_ids: tuple[int, ...]
    sealed: tuple[bytes, ...]
    size: int
    root: bytes
    sealed_through: int


async def read_log(stack: Stack) -> SealedLog:
    database = stack.database("audit")
    leaves = await database.fetch("SELECT leaf_index, entry_id, sealed FROM log_leaf ORDER BY leaf_index")
    head = await database.fetchrow("SELECT tree_size, root, sealed_through FROM log_head")
    assert head is not None
    assert [leaf["leaf_index"] for leaf in leaves] == list(range(len(leaves)))
    return SealedLog(
        tuple(leaf["entry_id"] for leaf in leaves), tuple(leaf["sealed"] for leaf in leaves), *head
    )


def root_of(entries: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, as it stands there."""
    if not entries:
        return EMPTY
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1 << ((len(entries) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + root_of(entries[:split]) + root_of(entries[split:])).digest()


def read_note(note: bytes) -> tuple[int, bytes]:
    """Size and root of a checkpoint."""
    _, size, root, *_ = note.decode().split("\n")
    return int(size), b64decode(root)


async def is_sealed(stack: Stack) -> bool:
    """Return whether every entry has a leaf now."""
    unsealed = "SELECT count(*) FROM event_log WHERE entry_id NOT IN (SELECT entry_id FROM log_leaf)"
    return await stack.database("audit").fetchval(unsealed) == 0


async def readiness(url: str) -> Mapping[str, Mapping[str, object]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{url}/health/ready")).json()["checks"]
