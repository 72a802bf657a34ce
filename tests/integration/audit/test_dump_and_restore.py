"""A dump restored elsewhere is the same log: it verifies, keeps its guards, and sealing goes on (F38)."""

from pathlib import Path

import asyncpg
import pytest

from audit.adapters.payload_erasure import due_rewrites, holder_of_snapshot, open_eraser
from audit.handlers.verification import Request, Verification, verify_log
from harness import Infra, start_services
from harness.audit_entries import insert_entries
from harness.databases import TestDatabase
from harness.dumps import restored
from harness.sealing import ORIGIN, key_ring, seal_all

KEYS = key_ring()
_REFUSED = ("UPDATE log_leaf SET sealed = 'x'", "DELETE FROM event_log", "TRUNCATE log_checkpoint")


async def verified(database: TestDatabase, directory: Path) -> Verification:
    return await verify_log(Request(database.dsn("audit"), ORIGIN, KEYS.verifiers, directory))


async def test_restored_log_verifies_and_is_continued(infra: Infra, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    async with start_services(infra) as stack:
        source = stack.database("audit")
        for last in (300, 600):
            await insert_entries(source, last - 299, last, webhook_bytes=100)
            await seal_all(source.dsn("audit"), KEYS, directory=kept)
        async with restored(infra, source, "audit", tmp_path / "audit.dump") as copy:
            before = await verified(copy, kept)
            assert (before.bad, before.leaves, before.outside) == (0, 600, 2)
            for statement in _REFUSED:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await copy.execute(f"SET search_path = audit; {statement}")
            await insert_entries(copy, 601, 620, webhook_bytes=100)
            assert await seal_all(copy.dsn("audit"), KEYS, directory=kept) == 620
            after = await verified(copy, kept)
            assert (after.bad, after.leaves, after.outside) == (0, 620, 3)
            await finishes_an_erasure(copy)


async def finishes_an_erasure(copy: TestDatabase) -> None:
    """Rewrite a file that was due in the dump, whose cluster had used far more transactions (F27)."""
    to_come = "(pg_current_xact_id()::text::bigint + 1000000)::text::xid8"
    eraser = await open_eraser(copy.dsn())
    try:
        async with copy.connect(role="audit") as other, other.transaction(isolation="repeatable_read"):
            await other.fetchval("SELECT 1")
            await eraser.execute(f"INSERT INTO payload_rewrite VALUES ('event_rendering', {to_come})")
            due = await due_rewrites(eraser)
            assert [await holder_of_snapshot(eraser, each) for each in due] == [None]
    finally:
        await eraser.close()
