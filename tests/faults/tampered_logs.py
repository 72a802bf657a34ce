"""F30: the sealed log is tampered with in every way and verified; clean logs are verified again and again."""

import asyncio
import random
import shutil
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from audit.domain.log.key_ring import KeyRing
from audit.handlers.verification import Request, Verification, verify_log
from faults.plan import SHORT
from faults.scene import Scene
from faults.tampering import HIDDEN, WAYS, Target, Way, tamper
from harness import Infra, Stack, start_services
from harness.audit_entries import insert_entries
from harness.databases import TestDatabase
from harness.deployment import PASSWORDS
from harness.sealing import ORIGIN, key_ring, seal_all
from harness.sessions import shared

OF_EACH_WAY, OF_EACH_WAY_SHORT = 25, 1
CLEAN_RUNS, CLEAN_RUNS_SHORT = 1_000, 10
ENTRIES = 1_100
# Each verification reads every checkpoint that was published: a thousand of them would be all of its time.
PUBLISHED_FIRST, PUBLISHED_EACH = 30, 50
COPIES_AT_ONCE = 3
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
        began = time.monotonic()
        accused = await clean_runs(log, rng, clean)
        verified = time.monotonic()
        cases = [(way, n) for way in WAYS for n in range(OF_EACH_WAY_SHORT if is_short else OF_EACH_WAY)]
        problems = await all_tried(scene.infra, log, cases, scene.seed)
        for way in HIDDEN:
            problem = await seen_from_outside_only(scene.infra, log, way, rng)
            problems += [problem] if problem else []
        scene.notes |= {
            "tampered": dict(Counter(way.of for way, _ in cases)),
            "clean verifications": clean,
            "checkpoints": len(log.sizes),
            "seconds": [round(verified - began, 1), round(time.monotonic() - verified, 1)],
        }
    assert not accused, f"clean logs were accused: {accused[:3]}"
    assert not problems, "\n".join(problems[:20])


class SealedLog:
    """A log that was sealed in many steps, with its checkpoints in a directory."""

    def __init__(self, stack: Stack, keys: KeyRing, directory: Path) -> None:
        self.stack = stack
        self.keys = keys
        self.directory = directory
        self.size = 0
        self.sizes: list[int] = []
        self.copies = count()
        self._verified = 0
        # Forking while threads of another pool run could take over a lock that one of them holds.
        self._pool = asyncio.Lock()

    @property
    def database(self) -> TestDatabase:
        return self.stack.database("audit")

    async def grow(self, entries: int, *, publishes: bool = True) -> None:
        """Append entries and seal them; publish the checkpoint."""
        size = self.size + entries
        await insert_entries(self.database, self.size + 1, size, webhook_bytes=300)
        dsn = self.database.dsn("audit")
        sealed = await seal_all(dsn, self.keys, directory=self.directory, publishes=publishes)
        assert sealed == size
        self.size = size
        self.sizes += [size] if publishes else []

    async def verify(self, dsn: str | None = None, *, directory: Path | None = None) -> Verification:
        # Once in a few times in parallel processes, as a log of a million entries is.
        self._verified += 1
        own = dsn or self.database.dsn("audit")
        if self._verified % 5:
            return await verify_log(Request(own, ORIGIN, self.keys.verifiers, directory))
        async with self._pool:
            return await verify_log(Request(own, ORIGIN, self.keys.verifiers, directory, part_leaves=512))


async def clean_runs(log: SealedLog, rng: random.Random, runs: int) -> list[str]:
    """Verify a log that grows in random steps, each time it has grown. Return what it was accused of."""
    accused: list[str] = []
    for run in range(runs):
        rest, is_last = max(0, ENTRIES - log.size), run == runs - 1
        step = rest if is_last else min(rest, rng.randint(1, 2 * ENTRIES // min(runs, 40)))
        publishes = is_last or len(log.sizes) < PUBLISHED_FIRST or run % PUBLISHED_EACH == 0
        await log.grow(step or rng.randint(1, 3), publishes=publishes)
        result = await log.verify(directory=log.directory)
        accused += [f"{log.size}: {finding}" for finding in result.findings]
    return accused


async def all_tried(infra: Infra, log: SealedLog, cases: Sequence[tuple[Way, int]], seed: int) -> list[str]:
    """Try each case in a copy of its own, some at once. Return what is wrong with the results."""
    free = asyncio.Semaphore(COPIES_AT_ONCE)

    async def one(way: Way, number: int) -> str | None:
        async with free:
            return await tried(infra, log, way, random.Random(f"{seed} {way.of} {way.name} {number}"))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(*case)) for case in cases]
    return [problem for task in tasks if (problem := task.result())]


async def tried(infra: Infra, log: SealedLog, way: Way, rng: random.Random) -> str | None:
    """Tamper with a copy of the log and verify it. Return what is wrong with the result."""
    async with copied(infra, log) as (database, directory):
        async with database.without_triggers(*(f"audit.{table}" for table in TABLES)) as connection:
            await connection.execute("SET LOCAL search_path = audit, pg_temp")
            target = Target(connection, rng, log.size, log.keys, directory, log.sizes)
            i, j = await tamper(target, way)
        result = await log.verify(database.dsn("audit"), directory=directory)
    expected = None if way.at is None else way.at(i, j, log.size)
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
            leaf = rng.randrange(log.size // 4) * 4
            await tamper(Target(connection, rng, log.size, log.keys, directory, log.sizes), way, leaf)
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
    source = log.database.dsn()
    # Not asked of the database: no session may be open in it while it is copied.
    name = source.rpartition("/")[2].partition("?")[0]
    admin = TestDatabase(infra.admin_dsn(), PASSWORDS)
    number = next(log.copies)
    copy, directory = f"{name}_tampered_{number}", log.directory.with_name(f"kept-copy-{number}")
    if session := shared(source):
        await session.close()
    await admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
    shutil.copytree(log.directory, directory)
    try:
        yield TestDatabase(infra.admin_dsn(copy), PASSWORDS), directory
    finally:
        shutil.rmtree(directory)
        await admin.execute(f'DROP DATABASE "{copy}" WITH (FORCE)')
