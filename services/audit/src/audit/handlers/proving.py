"""Prove that an entry stands in the log (AU-4, AU-5)."""

from audit.adapters import log_cosignatures, log_leaves, log_tiles, verification
from audit.domain.log.checkpoints import read_checkpoint
from audit.domain.log.notes import NoteError, parse_note
from audit.domain.log.policies import Policy
from audit.domain.log.proofs import TlogProof
from audit.domain.log.tiles import range_hash, tiles_of
from audit.domain.log.tree import ProofError, hash_leaf, inclusion_ranges, verify_inclusion
from audit.handlers.cosigning import newest_cosigned
from chassis.postgres import Connection, Database

_BIGINT_MAX = 2**63 - 1


class UnknownEntryError(Exception):
    """The log has no such entry."""


class NotSealedError(Exception):
    """The entry is not sealed yet."""


class DamagedLogError(Exception):
    """Leaves and tiles do not lead to the signed root."""


async def prove_entry(
    database: Database, entry_id: int, *, policy: Policy | None, extra: bool = True
) -> bytes:
    """Return the proof of an entry, as a file.

    Args:
        database: of audit.
        entry_id: of the entry.
        policy: of the witnesses, as for `prove_leaf`.
        extra: whether the proof holds the entry.

    Raises:
        UnknownEntryError: there is no such entry.
        NotSealedError: no checkpoint covers it yet.
        DamagedLogError: the log does not lead to its own checkpoint.
    """
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        index = await verification.index_of(connection, entry_id) if 0 < entry_id <= _BIGINT_MAX else None
        proof = None if index is None else await prove_leaf(connection, index, policy, extra=extra)
        if proof is None:
            if not 0 < entry_id <= _BIGINT_MAX or not await verification.has_entry(connection, entry_id):
                raise UnknownEntryError(f"the log has no entry {entry_id}")
            raise NotSealedError(f"entry {entry_id} is not sealed yet")
        return proof.encode()


async def get_proof(database: Database, leaf_index: int, policy: Policy | None) -> str | None:
    """Return the proof of a leaf, with its entry; None if the newest checkpoint does not cover it.

    Raises:
        DamagedLogError: the log does not lead to its own checkpoint.
    """
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        proof = await prove_leaf(connection, leaf_index, policy, extra=True)
    return None if proof is None else proof.encode().decode()


async def prove_leaf(
    connection: Connection, index: int, policy: Policy | None, *, extra: bool
) -> TlogProof | None:
    """Return the proof of a leaf; None if the tree of the newest checkpoint does not have it.

    The checkpoint is the newest one that the policy's quorum has cosigned, if its tree has the leaf, else the
    newest.

    Raises:
        DamagedLogError: the log does not lead to its own checkpoint.
    """
    note = await _best_note(connection, index, policy)
    try:
        checkpoint = None if note is None else read_checkpoint(parse_note(note.encode()))
    except NoteError as error:
        raise DamagedLogError(f"the newest checkpoint is damaged: {error}") from None
    if note is None or checkpoint is None or index >= checkpoint.size:
        return None
    ranges = inclusion_ranges(index, checkpoint.size)
    tiles = await log_tiles.read_tiles(connection, tiles_of(ranges), checkpoint.size)
    forms = await log_leaves.sealed_forms(connection, index, index + 1)
    try:
        hashes = tuple(range_hash(leaves, lambda key: tiles[key]) for leaves in ranges)
        verify_inclusion(hash_leaf(forms[0]), index, checkpoint.size, hashes, checkpoint.root)
    except (ProofError, LookupError, ValueError):
        raise DamagedLogError(f"leaf {index} does not lead to the root of the newest checkpoint") from None
    return TlogProof(index, hashes, note.encode(), forms[0] if extra else None)


async def _best_note(connection: Connection, index: int, policy: Policy | None) -> str | None:
    cosigned = None if policy is None else await newest_cosigned(connection, policy, above=index)
    return await log_cosignatures.read_note(connection, None) if cosigned is None else str(cosigned)
