"""The runbook of a log that does not verify, followed to the letter."""

import shutil
from pathlib import Path

import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, created
from integration.audit.following import Operator
from integration.audit.sealed_log import is_sealed
from plumbline.doctor.target import SERVICE_URLS

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("psql")), reason="curl or psql is not installed"
)


def newest_checkpoint(stack: Stack) -> str:
    return str(max(Path(stack.environment()["AUDIT_CHECKPOINT_DIR"]).glob("checkpoint-*")))


async def test_altered_entry_is_found_seen_repaired_and_verified(
    infra: Infra, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with start_services(infra, *SERVICE_URLS, env={"AUDIT_CHECKPOINT_SECONDS": "0.5"}) as stack:
        audit, database = AuditApi(stack, http), stack.database("audit")
        await audit.recorded("bookings.events.v1", *(created(clock.new_id()) for _ in range(3)))

        async def is_published() -> bool:
            kept = await database.fetchval("SELECT max(tree_size) FROM log_checkpoint")
            return await is_sealed(stack) and kept == await database.fetchval(
                "SELECT tree_size FROM log_head"
            )

        await eventually(is_published, seconds=20, what="the log sealed and published")
        words = {"INDEX": "1", "GOOD": newest_checkpoint(stack)}
        operator = Operator("log-tampered.md", stack, infra, tmp_path, words)
        entry = "(SELECT entry_id FROM audit.log_leaf WHERE leaf_index = 1)"
        async with database.without_triggers("audit.event_log") as connection:
            await connection.execute(f"UPDATE audit.event_log SET status = 'failed' WHERE entry_id = {entry}")

        assert all(done.exit_code == 0 for done in await operator.follow("1. Keep what is there"))
        verified, shown = await operator.follow("2. Look")
        assert verified.exit_code == 1
        assert "tampered entry-altered at 1\n" in shown.stdout, shown.stderr
        [rows] = await operator.follow("3. See the entry and its neighbours")
        assert '"status":"success"' in rows.stdout, rows.stderr
        assert "failed" in rows.stdout
        [since] = await operator.follow("4. Verify since the last good checkpoint")
        assert since.exit_code in {0, 1}, since.stderr
        async with database.without_triggers("audit.event_log") as connection:
            await connection.execute(
                f"UPDATE audit.event_log SET status = 'success' WHERE entry_id = {entry}"
            )
        [again] = await operator.follow("5. Check")
        assert (again.exit_code, "intact" in again.stdout) == (0, True), again.stderr
