"""F30: the sealed log is tampered with in every way and verified; clean logs are verified again and again."""

import random
import shutil
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from audit.domain.log.key_ring import KeyRing
from audit.handlers.verification import PART_LEAVES, Request, Verification, verify_log
from faults.plan import SHORT
from faults.scene import Scene
from faults.tampering import HIDDEN, WAYS, Target, Way, tamper
from harness import Infra, Stack, start_services
from harness.audit_entries import insert_entries
from harness.databases import TestDatabase
from harness.deployment import PASSWORDS
from harness.sealing import ORIGIN, key_ring, seal_all

OF_EACH_WAY, OF_EACH_WAY_SHORT = 25, 1
CLEAN_RUNS, CLEAN_RUNS_SHORT = 1_000, 10
ENTRIES = 1_100
TABLES = (
    "event_log",
    "event_payload",
    "event_rendering",
    "status_history",
    "log_leaf",
    "log_tile",
    "log_checkpoint",
)


async def every_way(scene: Scene) -> None:
    """F30: each way is found and named right, and no clean log is accused."""
    is_short = scene.size == SHORT
    rng, keys = random.Random(scene.seed), key_ring()
    directory = Path(scene.stack.environment()["AUDIT_CHECKPOINT_DIR"]).parent / "kept"
    directory.mkdir()
    async with start_services(scene.infra) as stack:
        log = SealedLog(stack, keys, directory)
        clean = CLEAN_RUNS_SHORT if is_short else CLEAN_RUNS
        accused = await clean_runs(log, rng, clean)
        began, found, problems = time.monotonic(), Counter[str](), list[str]()
        for way in WAYS:
            for _ in range(OF_EACH_WAY_SHORT if is_short else OF_EACH_WAY):
                problem = await tried(scene.infra, log, way, rng)
                found[way.of] += 1
                problems += [problem] if problem else []
        for way in HIDDEN:
            problem = await seen_from_outside_only(scene.infra, log, way, rng)
            problems += [problem] if problem else []
        scene.notes |= {
            "tampered": dict(found),
            "clean verifications": clean,
            "seconds": round(time.monotonic() - began, 1),
        }
    assert not accused, f"clean logs were accused: {accused[:3]}"
    assert not problems, "\n".join(problems[:20])


class SealedLog:
    """A log that was sealed in many steps, with its checkpoints in a directory."""

    def __init__(self, stack: Stack, keys: KeyRing, directory: Path) -> None:
        self.stack = stack
        self.keys = keys
        self.directory = directory
        self.sizes: list[int] = []
        self._verified = 0

    @property
    def database(self) -> TestDatabase:
        return self.stack.database("audit")

    async def grow(self, entries: int) -> None:
        """Append entries, seal them, and publish the checkpoint."""
        size = self.sizes[-1] if self.sizes else 0
        await insert_entries(self.database, size + 1, size + entries, webhook_bytes=300)
        sealed = await seal_all(self.database.dsn("audit"), self.keys, directory=self.directory)
        assert sealed == size + entries
        self.sizes.append(sealed)

    async def verify(self, dsn: str | None = None, *, directory: Path | None = None) -> Verification:
        # Once in a few times in parallel processes, as a log of a million entries is.
        self._verified += 1
        part_leaves = 512 if self._verified % 5 == 0 else PART_LEAVES
        own = dsn or self.database.dsn("audit")
        return await verify_log(Request(own, ORIGIN, self.keys.verifiers, directory, part_leaves=part_leaves))


async def clean_runs(log: SealedLog, rng: random.Random, runs: int) -> list[str]:
    """Verify a log that grows in random steps, each time it has grown. Return what it was accused of."""
    accused: list[str] = []
    for run in range(runs):
        rest = max(0, ENTRIES - (log.sizes[-1] if log.sizes else 0))
        step = rest if run == runs - 1 else min(rest, rng.randint(1, 2 * ENTRIES // min(runs, 40)))
        await log.grow(step or rng.randint(1, 3))
        result = await log.verify(directory=log.directory)
        accused += [f"{log.sizes[-1]}: {finding}" for finding in result.findings]
    return accused


async def tried(infra: Infra, log: SealedLog, way: Way, rng: random.Random) -> str | None:
    """Tamper with a copy of the log and verify it. Return what is wrong with the result."""
    async with copied(infra, log) as (database, directory):
        async with database.without_triggers(*(f"audit.{table}" for table in TABLES)) as connection:
            await connection.execute("SET LOCAL search_path = audit, pg_temp")
            target = Target(connection, rng, log.sizes[-1], log.keys, directory, log.sizes)
            i, j = await tamper(target, way)
        result = await log.verify(database.dsn("audit"), directory=directory)
    expected = None if way.at is None else way.at(i, j, log.sizes[-1])
    if not result.findings:
        return f"{way.of}, {way.name}, leaf {i}, {j}: not found"
    first = result.findings[0]
    if first.kind != way.expected or (expected is not None and first.index != expected):
        where = f"{way.of}, {way.name}, leaf {i}, {j}"
        return f"{where}: expected {way.expected} at {expected}, found {result.findings[:3]}"
    return None


async def seen_from_outside_only(infra: Infra, log: SealedLog, way: Way, rng: random.Random) -> str | None:
    """Tamper in a way that leaves the database sound in itself: only checkpoints from outside show it."""
    async with copied(infra, log) as (database, directory):
        async with database.without_triggers(*(f"audit.{table}" for table in TABLES)) as connection:
            await connection.execute("SET LOCAL search_path = audit, pg_temp")
            # A delivery: it has no status history that would contradict it.
            leaf = rng.randrange(log.sizes[-1] // 4) * 4
            await tamper(Target(connection, rng, log.sizes[-1], log.keys, directory, log.sizes), way, leaf)
        alone = await log.verify(database.dsn("audit"))
        compared = await log.verify(database.dsn("audit"), directory=directory)
    if alone.findings:
        return f"{way.of}, {way.name}: found without a checkpoint from outside: {alone.findings[:2]}"
    if not compared.findings or compared.findings[0].kind != way.expected:
        return f"{way.of}, {way.name}: not named with checkpoints from outside: {compared.findings[:2]}"
    return None


@asynccontextmanager
async def copied(infra: Infra, log: SealedLog) -> AsyncGenerator[tuple[TestDatabase, Path]]:
    """Copy database and directory, and drop the copies at the end."""
    name = await log.database.fetchval("SELECT current_database()")
    admin = TestDatabase(infra.admin_dsn(), PASSWORDS)
    copy, directory = f"{name}_tampered", log.directory.with_name("kept-copy")
    await admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
    shutil.copytree(log.directory, directory)
    try:
        yield TestDatabase(infra.admin_dsn(copy), PASSWORDS), directory
    finally:
        shutil.rmtree(directory)
        await admin.execute(f'DROP DATABASE "{copy}" WITH (FORCE)')
