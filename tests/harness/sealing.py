"""Seal the log of a database with the service's own code, without a running service."""

from pathlib import Path

from audit.adapters.checkpoint_sinks import CheckpointDirectory
from audit.domain.log.checkpoints import open_checkpoint
from audit.domain.log.key_ring import KeyRing
from audit.domain.log.keys import KeyType, SigningKey
from audit.handlers.opening import open_log
from audit.handlers.publishing import record_head
from audit.handlers.sealing import seal, waiting_entries
from chassis.postgres import Database

ORIGIN = "plumbline.local/audit"


def key_ring(seed: bytes = bytes(32)) -> KeyRing:
    """Return keys of the log of tests; another seed makes those of somebody else."""
    signers = tuple(SigningKey(ORIGIN, each, seed) for each in (KeyType.ED25519, KeyType.MLDSA44_COSIGNATURE))
    return KeyRing(ORIGIN, signers, tuple(each.verifier for each in signers))


async def seal_all(dsn: str, keys: KeyRing, *, directory: Path | None = None, publishes: bool = True) -> int:
    """Seal every entry, publish the head unless told otherwise, and return the size of the tree."""
    database = Database(dsn, application_name="test-sealer")
    await database.start()
    session = await database.dedicated()
    try:
        log = await open_log(session, keys, [])
        last = await session.fetchval("SELECT coalesce(max(entry_id), 0) FROM event_log")
        while log.head.sealed_through < last:
            await waiting_entries(session, log)
            await seal(session, log, keys)
        if not publishes:
            return log.head.size
        await record_head(database)
        if directory is not None:
            note = log.head.note.encode()
            checkpoint, _ = open_checkpoint(note, keys.verifiers, origin=keys.origin)
            await CheckpointDirectory(directory).publish(checkpoint, note)
        return log.head.size
    finally:
        await session.close()
        await database.stop()
