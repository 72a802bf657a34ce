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
from audit.domain.log.evidence_policy import evidence_policy
from audit.domain.log.keys import VerifierKey
from audit.domain.log.notes import Note, parse_note
from audit.domain.log.policies import NO_QUORUM, Policy
from audit.domain.log.tiles import TileKey, split_hashes, tiles_of
from audit.domain.log.tree import inclusion_ranges
from audit.domain.own_entries import evidence_exported
from audit.handlers.cosigning import cosigned_note, newest_cosigned
from chassis import clock
from chassis.postgres import Connection, Database
from contracts.metadata import format_time

ENTRIES_MAX = 5_000
_TILES_SPLIT_MAX = 32
# Checks that fail only where stored leaves, tiles or signatures were changed.
_OURS = frozenset({"file", "signature", "witnesses", "entries"})


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
        keys: of the log; one of them must have signed the checkpoint.
        witnesses: policy of the operator; None asks for no witness.
        actor: caller of the API, or login of the command line.
        through: `http` or `cli`.
        with_payloads: add the contents of messages.
    """

    booking_id: str
    keys: Sequence[VerifierKey]
    witnesses: Policy | None
    actor: str
    through: str
    with_payloads: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file of evidence.

    Attributes:
        proved: entries in the file.
        waiting: entries that are not sealed yet.
        lacks_witnesses: the policy asks for witnesses, and its quorum has not cosigned all of the entries.
    """

    content: bytes
    proved: int
    waiting: int
    lacks_witnesses: bool


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
    evidence, is_witnessed = await asyncio.to_thread(_proved, material)
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
    lacks_witnesses = _asks_witnesses(request) and not is_witnessed
    return EvidenceFile(content, len(evidence.entries), len(evidence.waiting), lacks_witnesses)


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
            policy=evidence_policy(self.request.keys, self.request.witnesses),
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


def _proved(material: _Material) -> tuple[Evidence, bool]:
    """Return the evidence, and whether the quorum of witnesses has cosigned it."""
    evidence = material.prove()
    checks = check_evidence(evidence, material.request.keys)
    for check in checks:
        if check.id in _OURS and check.result == "fail":
            raise WrongProofsError(f"{check.id}: {check.text}")
    return evidence, any(check.id == "witnesses" and check.result == "pass" for check in checks)


def _asks_witnesses(request: EvidenceRequest) -> bool:
    return request.witnesses is not None and request.witnesses.quorum != NO_QUORUM


async def _read(connection: Connection, request: EvidenceRequest) -> _Material | None:
    # The checkpoint first: leaves are only ever added, so that all of its leaves are there afterwards.
    head = await log_head.head_note(connection)
    entries = await booking_leaves.entries_of(connection, request.booking_id, rows_max=ENTRIES_MAX + 1)
    if not entries:
        return None
    if head is None or not request.keys:
        raise NothingSealedError
    if len(entries) > ENTRIES_MAX:
        raise TooManyEntriesError(f"the booking has more than {ENTRIES_MAX:,} entries")
    note = await _best_note(connection, request, parse_note(head.encode()), entries)
    size = read_checkpoint(note).size
    sealed = sorted((entry for entry in entries if _is_covered(entry, size)), key=_index)
    ranges = {each for entry in sealed for each in inclusion_ranges(_index(entry), size)}
    return _Material(
        request,
        str(note),
        size,
        sealed,
        [entry for entry in entries if not _is_covered(entry, size)],
        await booking_leaves.tiles(connection, tiles_of(ranges), size),
        await booking_leaves.payloads(connection, [entry.entry_id for entry in sealed])
        if request.with_payloads
        else None,
    )


async def _best_note(
    connection: Connection, request: EvidenceRequest, head: Note, entries: Sequence[BookingEntry]
) -> Note:
    """Return the newest checkpoint that the quorum has cosigned, if it has all entries, else the newest."""
    size = read_checkpoint(head).size
    needed = max((_index(entry) + 1 for entry in entries if _is_covered(entry, size)), default=1)
    if request.witnesses is not None and _asks_witnesses(request):
        cosigned = await newest_cosigned(connection, request.witnesses, above=needed - 1)
        if cosigned is not None:
            return cosigned
    return await cosigned_note(connection, size) or head


def _is_covered(entry: BookingEntry, size: int) -> bool:
    return entry.leaf_index is not None and entry.leaf_index < size


def _index(entry: BookingEntry) -> int:
    assert entry.leaf_index is not None, "of sealed entries only"
    return entry.leaf_index
