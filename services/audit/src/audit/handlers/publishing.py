"""Publish checkpoints: recorded in the database first, then kept in places outside of it (AU-4)."""

from audit.adapters import log_head
from audit.adapters.checkpoint_sinks import CheckpointSink
from audit.domain.log.checkpoints import open_checkpoint
from audit.domain.log.key_ring import KeyRing
from chassis.postgres import Database

PAGE_CHECKPOINTS = 100


async def record_head(database: Database) -> int | None:
    """Record that the head is to leave the database. Return the largest size that is; None for none."""
    async with database.transaction() as connection:
        await log_head.publish_head(connection)
        newest = await log_head.newest_published(connection)
    return None if newest is None else newest.size


async def size_kept(sink: CheckpointSink, database: Database, keys: KeyRing) -> int:
    """Return the size after which a place needs checkpoints.

    A place that keeps none, or cannot be asked, begins with the newest, which covers the earlier ones.

    Raises:
        SinkError, NoteError: the place cannot be read, or holds something else.
    """
    note = await sink.newest()
    if note is not None:
        return open_checkpoint(note, keys.verifiers, origin=keys.origin)[0].size
    async with database.connection() as connection:
        newest = await log_head.newest_published(connection)
    return -1 if newest is None else newest.size - 1


async def publish_page(database: Database, sink: CheckpointSink, keys: KeyRing, *, after: int) -> int:
    """Publish recorded checkpoints of larger trees, in order. Return the last size, or `after` for none.

    Raises:
        SinkError: a checkpoint cannot be kept now; those before it are.
        NoteError: a recorded checkpoint is not signed by the log.
    """
    async with database.connection() as connection:
        page = await log_head.published_after(connection, after, rows_max=PAGE_CHECKPOINTS)
    for published in page:
        checkpoint, _ = open_checkpoint(published.note, keys.verifiers, origin=keys.origin)
        await sink.publish(checkpoint, published.note)
        after = checkpoint.size
    return after
