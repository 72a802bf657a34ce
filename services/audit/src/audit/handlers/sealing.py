"""Seal entries: leaves, tiles and the signed head are written in one transaction (AU-4)."""

from dataclasses import dataclass
from datetime import timedelta

from audit.adapters import log_head, log_leaves, log_tiles
from audit.domain.log.decided import sealed_through
from audit.domain.log.key_ring import KeyRing
from audit.handlers.opening import OpenLog, SealingRefusedError, sign_head
from chassis.postgres import Session

ENTRIES_MAX = 10_000
"""Entries of one round. A backlog is sealed round after round."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Result of a round.

    Attributes:
        entries: sealed now.
        lag: age of the oldest of them when the checkpoint was signed.
        is_full: more entries may wait.
    """

    entries: int = 0
    lag: timedelta = timedelta()
    is_full: bool = False


async def waiting_entries(session: Session, log: OpenLog) -> int:
    """Return at most how many entries wait, and note which ids are decided.

    Raises:
        SealingRefusedError: head or sequence were changed: coming entries would never be sealed.
    """
    reading = await log_leaves.read_writers(session)
    if reading.last_id < log.head.sealed_through:
        raise SealingRefusedError(
            f"the log has sealed up to entry {log.head.sealed_through}, and the last id that was given is"
            f" {reading.last_id}: head or sequence were changed"
        )
    log.decided = log.decided.observe(reading)
    if reading.last_id <= log.head.sealed_through:
        return 0
    return max(1, reading.last_id - log.last_id)


async def seal(session: Session, log: OpenLog, keys: KeyRing, *, entries_max: int = ENTRIES_MAX) -> Sealed:
    """Seal the entries that wait, after `waiting_entries`. After an error, open the log anew.

    Raises:
        SealingRefusedError: head or leaves are not those of the last round.
    """
    before = log.head
    async with session.transaction():
        leaves = await log_leaves.append_leaves(
            session, after_id=before.sealed_through, first_index=before.size, rows_max=entries_max
        )
        if leaves.leaves_before != before.size:
            raise SealingRefusedError(
                f"the log has {leaves.leaves_before} leaves, and its newest checkpoint {before.size}"
            )
        is_full = len(leaves.hashes) == entries_max
        through = sealed_through(
            before.sealed_through,
            log.decided.through,
            last_of_full_batch=leaves.last_id if is_full else None,
        )
        if not leaves.hashes:
            if through > before.sealed_through:
                log.head = await log_head.move_sealed_through(session, through, head=before)
            return Sealed()
        await log_tiles.insert_tiles(session, log.edge.append(leaves.hashes))
        head = sign_head(log.edge, through, keys)
        signed_at = await log_head.replace_head(session, head, before=before)
        if signed_at is None:
            raise SealingRefusedError("the head of the log was changed by somebody else")
    log.head, log.last_id = head, max(log.last_id, leaves.last_id)
    lag = signed_at - leaves.oldest if leaves.oldest else timedelta()
    return Sealed(len(leaves.hashes), lag, is_full)
