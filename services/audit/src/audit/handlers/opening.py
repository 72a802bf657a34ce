"""Open the log to continue it: what is there must agree with the newest signed checkpoints (AU-4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.adapters import log_head, log_leaves, log_tiles
from audit.adapters.checkpoint_sinks import CheckpointSink, SinkError
from audit.adapters.log_head import Head
from audit.domain.log.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from audit.domain.log.decided import Decided
from audit.domain.log.key_ring import KeyRing
from audit.domain.log.notes import NoteError
from audit.domain.log.tiles import Edge, range_hash, split_hashes, tiles_of
from audit.domain.log.tree import EMPTY_ROOT, join
from chassis import clock
from chassis.postgres import Session


class SealingRefusedError(Exception):
    """The log is not continued, because what is there contradicts a signed checkpoint. The text says what."""


@dataclass(slots=True)
class OpenLog:
    """The log as its sealer knows it. After a failed round it is opened anew.

    Attributes:
        head: the newest signed checkpoint.
        edge: right edge of the tree.
        decided: entry ids that no writer can take any more.
        last_id: greatest entry id that was sealed.
    """

    head: Head
    edge: Edge
    decided: Decided
    last_id: int


async def open_log(session: Session, keys: KeyRing, outside: Sequence[CheckpointSink]) -> OpenLog:
    """Open the log, and begin it if there is none.

    Args:
        session: that of the only sealer.
        keys: of the log.
        outside: where checkpoints are kept; the newest of each must be part of this log.

    Raises:
        SealingRefusedError: something contradicts a signed checkpoint.
    """
    kept = [checkpoint for sink in outside if (checkpoint := await _newest(sink, keys)) is not None]
    state = await log_head.read_state(session)
    largest = max((checkpoint.size for _, checkpoint in kept), default=0)
    if state.head is None:
        if state.leaves or largest:
            raise SealingRefusedError(
                f"the log has no head, but {state.leaves} leaves, and checkpoints of up to {largest} entries"
            )
        return await _begin(session, keys)
    head = state.head
    _check_head(head, keys)
    if state.leaves != head.size:
        raise SealingRefusedError(f"the log has {state.leaves} leaves, and its newest checkpoint {head.size}")
    edge = await log_tiles.read_edge(session, head.size)
    if edge.frontier() != split_hashes(head.frontier):
        raise SealingRefusedError(
            f"leaves and tiles do not lead to the root of the newest checkpoint, {head.size}"
        )
    skipped = await log_leaves.skipped_entry(session, head.sealed_through)
    if skipped is not None:
        raise SealingRefusedError(
            f"entry {skipped} has no leaf, although the log has sealed up to entry {head.sealed_through}"
        )
    for place, checkpoint in kept:
        await _check_kept(session, head, place, checkpoint)
    return OpenLog(head, edge, Decided(head.sealed_through), head.sealed_through)


def sign_head(edge: Edge, sealed_through: int, keys: KeyRing) -> Head:
    """Return the signed head of a tree."""
    root = edge.root()
    note = sign_checkpoint(
        Checkpoint(keys.origin, edge.size, root), keys.signers, time=int(clock.now().timestamp())
    )
    return Head(edge.size, root, b"".join(edge.frontier()), sealed_through, str(note))


async def _begin(session: Session, keys: KeyRing) -> OpenLog:
    edge = Edge()
    head = sign_head(edge, 0, keys)
    await log_head.insert_head(session, head)
    return OpenLog(head, edge, Decided(0), 0)


def _check_head(head: Head, keys: KeyRing) -> None:
    try:
        checkpoint, _ = open_checkpoint(head.note.encode(), keys.verifiers, origin=keys.origin)
        frontier = split_hashes(head.frontier)
    except (NoteError, ValueError) as error:
        raise SealingRefusedError(f"the head of the log is not ours: {error}") from None
    root = join(frontier) if frontier else EMPTY_ROOT
    if (checkpoint.size, checkpoint.root) != (head.size, head.root) or root != head.root:
        raise SealingRefusedError(
            f"the head of the log does not fit its signed checkpoint, {checkpoint.size}"
        )


async def _newest(sink: CheckpointSink, keys: KeyRing) -> tuple[str, Checkpoint] | None:
    try:
        note = await sink.newest()
    except SinkError as error:
        raise SealingRefusedError(str(error)) from None
    if note is None:
        return None
    try:
        return sink.name, open_checkpoint(note, keys.verifiers, origin=keys.origin)[0]
    except NoteError as error:
        raise SealingRefusedError(f"the newest checkpoint in {sink.name}: {error}") from None


async def _check_kept(session: Session, head: Head, place: str, checkpoint: Checkpoint) -> None:
    if checkpoint.size > head.size:
        raise SealingRefusedError(
            f"the newest checkpoint in {place} has {checkpoint.size} entries, and the log {head.size}: the"
            " database is older than its checkpoints, or the end of the log was cut off"
        )
    whole = (0, checkpoint.size)
    tiles = await log_tiles.read_tiles(session, tiles_of([whole]), head.size)
    root = range_hash(whole, lambda key: tiles[key])
    if root != checkpoint.root:
        raise SealingRefusedError(
            f"the newest checkpoint in {place} has another root at {checkpoint.size} entries:"
            " the log was rewritten"
        )
