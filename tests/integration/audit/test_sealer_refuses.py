"""The sealer continues no log that contradicts a signed checkpoint. Appending goes on (AU-4)."""

import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from audit.domain.log.checkpoints import Checkpoint, sign_checkpoint
from audit.domain.log.keys import KeyType, SigningKey, parse_signing_key
from harness import Infra, Stack, eventually, start_services
from integration.audit.following import Operator
from integration.audit.sealed_log import is_sealed, read_log, readiness, root_of
from integration.audit.test_sealing import INSERT, row

ORIGIN = "plumbline.local/audit"
STRANGER = SigningKey(ORIGIN, KeyType.ED25519, bytes(32))

# Each as superuser, with all triggers off: what the tables' owner can do. `{size}` is that of the log.
TAMPERINGS = {
    "the log has {less} leaves, and its newest checkpoint {size}": (
        "DELETE FROM log_leaf WHERE leaf_index = {less}"
    ),
    "the log has no head, but {size} leaves": "DELETE FROM log_head",
    "the head of the log does not fit its signed checkpoint": "UPDATE log_head SET root = sha256('x')",
    "leaves and tiles do not lead to the root": (
        "UPDATE log_leaf SET sealed = sealed || 'x' WHERE leaf_index = {less}"
    ),
    "leaves and tiles do not lead to the root of": "UPDATE log_tile SET root = sha256('x')",
    "the head of the log is not ours: the checkpoint is of the log": (
        "UPDATE log_head SET note = replace(note, 'plumbline.local', 'plumbline.other')"
    ),
}


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit", env={"AUDIT_CHECKPOINT_SECONDS": "0.5"}) as stack:
        for _ in range(300):
            await stack.database("audit").fetchval(INSERT, *row())

        async def all_kept() -> bool:
            return await is_sealed(stack) and (checkpoints(stack) / f"checkpoint-{300:020d}").exists()

        await eventually(all_kept, seconds=30)
        yield stack


def checkpoints(stack: Stack) -> Path:
    return Path(stack.environment()["AUDIT_CHECKPOINT_DIR"])


async def opened_anew(stack: Stack) -> None:
    """Cut the sealer's session: the next one opens the log anew."""
    await stack.database("audit").execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'audit-dedicated' AND datname = current_database()"
    )


async def refused(stack: Stack, sentence: str) -> None:
    async def says_so() -> bool:
        check = (await readiness(stack.url("audit")))["sealer"]
        return not check["ok"] and f"sealing refused: {sentence}" in str(check["detail"])

    await eventually(says_so, seconds=20, what=sentence)


async def leads(stack: Stack) -> None:
    async def says_so() -> bool:
        return "leads" in str((await readiness(stack.url("audit")))["sealer"]["detail"])

    await eventually(says_so, seconds=20, what="a sealer that leads")


@asynccontextmanager
async def restored(stack: Stack) -> AsyncGenerator[asyncpg.Connection]:
    """A superuser without triggers; the log's tables are put back at the end."""
    tables = ("log_leaf", "log_tile", "log_head")
    async with stack.database("audit").connect() as connection:
        await connection.execute("SET search_path = audit; SET session_replication_role = replica")
        for table in tables:
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            await connection.execute(f"CREATE TEMP TABLE was_{table} AS TABLE {table}")
        try:
            yield connection
        finally:
            for table in tables:
                await connection.execute(f"DELETE FROM {table}; INSERT INTO {table} TABLE was_{table}")
                await connection.execute(f"DROP TABLE was_{table}")
                if table != "log_head":
                    await connection.execute(
                        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_rows;"
                        f" ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_statements"
                    )


@pytest.mark.parametrize("sentence", TAMPERINGS)
async def test_tampered_log_is_not_continued_until_it_is_whole_again(own: Stack, sentence: str) -> None:
    await leads(own)
    size = (await read_log(own)).size
    async with restored(own) as owner:
        await owner.execute(TAMPERINGS[sentence].format(less=size - 1))
        await opened_anew(own)
        await refused(own, sentence.format(size=size, less=size - 1))
    await leads(own)


async def test_cut_tail_is_noticed_by_the_sealer_that_runs_and_appending_goes_on(own: Stack) -> None:
    await leads(own)
    size = (await read_log(own)).size
    async with restored(own) as owner:
        await owner.execute(f"DELETE FROM log_leaf WHERE leaf_index = {size - 1}")
        appended = await own.database("audit").fetchval(INSERT, *row(), role="audit")
        await refused(own, f"the log has {size - 1} leaves")
        assert appended not in (await read_log(own)).entry_ids
    await leads(own)
    await eventually(lambda: is_sealed(own), seconds=20, what="all sealed")


async def test_entries_that_only_the_head_calls_sealed_are_not_left_out(own: Stack) -> None:
    await leads(own)
    async with restored(own) as owner:
        # The next entry is not sealed yet, and the head says that it is.
        last = await owner.fetchval("SELECT last_value FROM event_log_entry_id_seq")
        await owner.execute(f"UPDATE log_head SET sealed_through = {last + 1}")
        await opened_anew(own)
        await refused(own, f"the log has sealed up to entry {last + 1}, and the last id")
        appended = await own.database("audit").fetchval(INSERT, *row(), role="audit")
        await refused(own, f"entry {appended} has no leaf")
    await leads(own)
    await eventually(lambda: is_sealed(own), seconds=20, what="all sealed")


def signed(own: Stack, size: int, root: bytes, key: SigningKey | None = None) -> bytes:
    secret = Path(own.environment()["AUDIT_SIGNING_KEY_FILE"]).read_text().strip()
    checkpoint = Checkpoint(ORIGIN, size, root)
    return str(sign_checkpoint(checkpoint, [key or parse_signing_key(secret)], time=0)).encode()


KEPT: dict[str, Callable[[Stack], bytes]] = {
    "has 9000 entries, and the log 30": lambda own: signed(own, 9000, bytes(32)),
    "has no signature of a known key": lambda own: signed(own, 9000, bytes(32), STRANGER),
    "a note is a text, an empty line": lambda _own: b"noise\n",
}


@pytest.mark.parametrize("sentence", KEPT)
async def test_kept_checkpoint_that_the_database_does_not_lead_to_stops_the_sealer(
    own: Stack, sentence: str
) -> None:
    await leads(own)
    file = checkpoints(own) / f"checkpoint-{9000:020d}"
    file.write_bytes(KEPT[sentence](own))
    try:
        await opened_anew(own)

        async def says_so() -> bool:
            return sentence in str((await readiness(own.url("audit")))["sealer"]["detail"])

        await eventually(says_so, seconds=20, what=sentence)
    finally:
        file.unlink()
    await leads(own)


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("psql")), reason="curl or psql is not installed"
)
async def test_runbook_finds_why_the_sealer_refuses(own: Stack, infra: Infra, tmp_path: Path) -> None:
    await leads(own)
    operator = Operator("sealer-behind.md", own, infra, tmp_path)
    file = checkpoints(own) / f"checkpoint-{9000:020d}"
    file.write_bytes(signed(own, 9000, bytes(32)))
    try:
        await opened_anew(own)
        await refused(own, "the newest checkpoint in")
        said, metrics = await operator.follow("1. See what the sealer says")
        assert "has 9000 entries, and the log 3" in said.stdout
        assert "audit_sealing_refused 1.0" in metrics.stdout
        files, head = await operator.follow("2. Find out what was changed")
        assert files.stdout.split()[-1] == file.name
        assert str((await read_log(own)).size) in head.stdout, head.stderr
        (sessions,) = await operator.follow("3. See who holds it up")
        assert "audit-dedicated" in sessions.stdout, sessions.stderr
    finally:
        file.unlink()
    await leads(own)
    ready, checkpoint = await operator.follow("4. Check")
    assert "leads" in ready.stdout
    assert checkpoint.stdout.startswith(ORIGIN)


async def test_rewritten_log_is_stopped_by_the_checkpoint_that_was_kept(own: Stack) -> None:
    """The owner of the database and of the key seals another history: only what is kept outside tells."""
    await leads(own)
    log = await read_log(own)
    size = log.size
    newest = checkpoints(own) / f"checkpoint-{size:020d}"
    # Else the genuine one could be kept after this, and be the newest.
    await eventually(newest.exists, seconds=20, what="the checkpoint of the whole log is kept")
    genuine = newest.read_bytes()
    newest.chmod(0o644)
    newest.write_bytes(signed(own, size, root_of([b"other", *log.sealed[1:size]])))
    try:
        await opened_anew(own)
        await refused(own, f"the newest checkpoint in {checkpoints(own)} has another root at {size} entries")
    finally:
        newest.write_bytes(genuine)
    await leads(own)
