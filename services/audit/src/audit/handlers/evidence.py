"""Make the evidence of a booking (AU-9). Each file that is made is an entry of the log (AU-10)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from audit.adapters import booking_leaves, event_log, log_head
from audit.adapters.booking_leaves import BookingEntry
from audit.adapters.evidence_page import evidence_page
from audit.domain.log.checkpoints import read_checkpoint
from audit.domain.log.evidence import (
    Evidence,
    Leaf,
    Payload,
    WaitingEntry,
    encode_evidence,
    encode_payload,
    prove_entries,
)
from audit.domain.log.evidence_checks import check_evidence
from audit.domain.log.keys import VerifierKey
from audit.domain.log.notes import parse_note
from audit.domain.log.tiles import TileKey, split_hashes, tiles_of
from audit.domain.log.tree import inclusion_ranges
from audit.domain.own_entries import evidence_exported
from chassis import clock
from chassis.postgres import Connection, Database
from contracts.metadata import format_time

ENTRIES_MAX = 5_000
_TILES_SPLIT_MAX = 32
# Checks that fail only where stored leaves, tiles or signatures were changed.
_OURS = frozenset({"file", "signature", "entries"})


class NothingSealedError(Exception):
    """The log has no signed checkpoint, or its keys are unknown."""


class WrongProofsError(Exception):
    """What is stored does not lead to the signed checkpoint: the log was changed. The text says where."""


class TooManyEntriesError(Exception):
    """A booking has more entries than fit into a file."""


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """Which file is asked for, and by whom.

    Attributes:
        booking_id: as entries have it.
        policy: C2SP tlog-policy with the keys of the log and its witnesses.
        keys: of the log; one of them must have signed the checkpoint.
        actor: caller of the API, or login of the command line.
        through: `http` or `cli`.
        with_payloads: add the contents of messages.
    """

    booking_id: str
    policy: str
    keys: Sequence[VerifierKey]
    actor: str
    through: str
    with_payloads: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file of evidence, and how many entries are proved in it and how many wait to be sealed."""

    content: bytes
    proved: int
    waiting: int


async def make_evidence(reads: Database, database: Database, request: EvidenceRequest) -> EvidenceFile | None:
    """Return the file of a booking; None for a booking without entries.

    The entry about the export is appended before the file is returned.

    Args:
        reads: lends the connection that reads.
        database: takes the entry.
        request: which booking, for whom.

    Raises:
        NothingSealedError: the log has no signed checkpoint.
        TooManyEntriesError: more than ENTRIES_MAX.
        WrongProofsError: the log was changed; no file is made of it.
    """
    async with reads.connection() as connection:
        material = await _read(connection, request)
    if material is None:
        return None
    evidence = await asyncio.to_thread(_proved, material)
    async with database.transaction() as connection:
        exported = evidence_exported(
            clock.new_id(),
            actor=request.actor,
            through=request.through,
            booking_id=request.booking_id,
            entries=len(evidence.entries),
            tree_size=material.size,
            payloads=request.with_payloads,
        )
        await event_log.append(connection, [exported])
    content = await asyncio.to_thread(lambda: evidence_page(encode_evidence(evidence)))
    return EvidenceFile(content, len(evidence.entries), len(evidence.waiting))


@dataclass(frozen=True, slots=True)
class _Material:
    """What a file is made of. `payloads` by entry id; None leaves contents out."""

    request: EvidenceRequest
    note: str
    size: int
    sealed: Sequence[BookingEntry]
    waiting: Sequence[BookingEntry]
    tiles: Mapping[TileKey, bytes]
    payloads: Mapping[int, tuple[bytes, bytes]] | None

    def prove(self) -> Evidence:
        @lru_cache(_TILES_SPLIT_MAX)
        def hashes_of(key: TileKey) -> list[bytes]:
            return split_hashes(self.tiles[key])

        leaves = [Leaf(_index(entry), (entry.sealed or b"").decode()) for entry in self.sealed]
        return Evidence(
            booking_id=self.request.booking_id,
            made_at=format_time(clock.now()),
            checkpoint=self.note,
            policy=self.request.policy,
            entries=prove_entries(leaves, self.size, hashes_of, self._payloads()),
            waiting=[
                WaitingEntry(entry.entry_id, entry.event_type, format_time(entry.recorded_at))
                for entry in self.waiting
            ],
        )

    def _payloads(self) -> Mapping[int, Payload | None] | None:
        if self.payloads is None:
            return None
        return {
            _index(entry): encode_payload(*self.payloads[entry.entry_id])
            for entry in self.sealed
            if entry.entry_id in self.payloads
        }


def _proved(material: _Material) -> Evidence:
    evidence = material.prove()
    for check in check_evidence(evidence, material.request.keys):
        if check.id in _OURS and check.result == "fail":
            raise WrongProofsError(f"{check.id}: {check.text}")
    return evidence


async def _read(connection: Connection, request: EvidenceRequest) -> _Material | None:
    # The checkpoint first: leaves are only ever added, so that all of its leaves are there afterwards.
    note = await log_head.head_note(connection)
    entries = await booking_leaves.entries_of(connection, request.booking_id, rows_max=ENTRIES_MAX + 1)
    if not entries:
        return None
    if note is None or not request.keys:
        raise NothingSealedError
    if len(entries) > ENTRIES_MAX:
        raise TooManyEntriesError(f"the booking has more than {ENTRIES_MAX:,} entries")
    size = read_checkpoint(parse_note(note.encode())).size
    sealed = sorted((entry for entry in entries if _is_covered(entry, size)), key=_index)
    ranges = {each for entry in sealed for each in inclusion_ranges(_index(entry), size)}
    return _Material(
        request,
        note,
        size,
        sealed,
        [entry for entry in entries if not _is_covered(entry, size)],
        await booking_leaves.tiles(connection, tiles_of(ranges), size),
        await booking_leaves.payloads(connection, [entry.entry_id for entry in sealed])
        if request.with_payloads
        else None,
    )


def _is_covered(entry: BookingEntry, size: int) -> bool:
    return entry.leaf_index is not None and entry.leaf_index < size


def _index(entry: BookingEntry) -> int:
    assert entry.leaf_index is not None, "of sealed entries only"
    return entry.leaf_index
