"""A3: how fast the sealed log is verified, and how long its proofs are."""

import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from audit.domain.log.checkpoints import Checkpoint, sign_checkpoint
from audit.domain.log.proofs import TlogProof
from audit.domain.log.tree import hash_leaf, inclusion_ranges
from bench.judging import Comparison, Sample
from bench.measuring import Meter
from bench.row import Experiment, Row, Side, Size
from harness import Finished, Stack, start_services
from harness.audit_entries import insert_entries
from harness.databases import TestDatabase
from harness.embedded import EmbeddedInfra
from harness.processes import run
from harness.sealing import ORIGIN, key_ring, seal_all

OURS = "audit verify"
SURVIVES = "reads only"
ENTRIES = {Size.FULL: 1_000_000, Size.QUICK: 100_000}
PROVED_OF = 10_000_000
VERIFY_SECONDS_MAX = 600.0
_TABLES = ("event_log", "event_payload", "status_history", "log_leaf", "log_tile")


async def rate(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Verify a log once, as a command of its own, from its start to its last line."""
    entries, keys = ENTRIES[size], key_ring()
    async with start_services(infra) as stack:
        database = stack.database("audit")
        await insert_entries(database, 1, entries)
        with tempfile.TemporaryDirectory(prefix="plumbline-kept-") as kept:
            await seal_all(database.dsn("audit"), keys, directory=Path(kept))
            await _vacuum(database)
            arguments = [argument for key in keys.verifiers for argument in ("--key", str(key))]
            arguments += ["--against", kept, "--json"]
            meter, before = Meter({"postgres": infra.postgres.pid}), _children_seconds()
            done = await _verify(stack, arguments)
            usage, own = meter.read(), _children_seconds() - before
            violations = _violations(done, entries)
            violations += await _tampered(stack, database, arguments, entries // 3)
    cpu = {name: seconds / entries * 1e6 for name, seconds in {**usage.cpu_seconds, "verify": own}.items()}
    figures = {"per_second": entries / usage.seconds}
    return Sample("rate", side, round_, figures, cpu, usage.others_share, violations)


async def proof(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Write a proof of a leaf of ten million, and count its bytes."""
    del infra, size
    ranges = inclusion_ranges(PROVED_OF // 3, PROVED_OF)
    hashes = tuple(hash_leaf(str(leaves).encode()) for leaves in ranges)
    checkpoint = Checkpoint(ORIGIN, PROVED_OF, hash_leaf(b""))

    def length(signers: int, entry: bytes | None = None) -> float:
        note = str(sign_checkpoint(checkpoint, key_ring().signers[:signers], time=0)).encode()
        return float(len(TlogProof(PROVED_OF // 3, hashes, note, entry).encode()))

    figures = {
        "proof_bytes": length(1),
        "with_mldsa_bytes": length(2),
        "with_entry_bytes": length(2, bytes(660)),
    }
    return Sample("proof", side, round_, figures, {}, 0.0)


async def _verify(stack: Stack, arguments: list[str]) -> Finished:
    return await run(
        [sys.executable, "-m", "audit", "verify", *arguments],
        stack.environment(),
        seconds_max=VERIFY_SECONDS_MAX,
    )


async def _tampered(stack: Stack, database: TestDatabase, arguments: list[str], leaf: int) -> list[str]:
    """Change one entry, and return what a second verification does not say of it."""
    async with database.without_triggers("audit.event_log") as connection:
        await connection.execute(
            "UPDATE audit.event_log SET actor = 'nobody'"
            " WHERE entry_id = (SELECT entry_id FROM audit.log_leaf WHERE leaf_index = $1)",
            leaf,
        )
    report: dict[str, Any] = json.loads((await _verify(stack, arguments)).stdout)
    named = report["verdict"], report["class"], report["first_bad_index"]
    return (
        [] if named == ("tampered", "entry-altered", leaf) else [f"a changed entry was reported as {named}"]
    )


def _violations(done: Finished, entries: int) -> list[str]:
    if done.exit_code:
        return [f"exit code {done.exit_code}: {done.stderr[-300:]}{done.stdout[-300:]}"]
    report = json.loads(done.stdout)
    counted = report["verdict"], report["verified"], report["payloads"], report["outside_checkpoints"]
    return [] if counted == ("intact", entries, entries, 1) else [f"verified: {counted}"]


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def _vacuum(database: TestDatabase) -> None:
    async with database.connect() as connection:
        for table in _TABLES:
            await connection.execute(f"VACUUM ANALYZE audit.{table}", timeout=VERIFY_SECONDS_MAX)


ROW = Row(
    name="A3",
    title="the sealed log verified, and its proofs",
    sides=(
        Side(
            OURS,
            "`audit verify --json` from its start: forms, tiles and root computed anew from a million"
            " entries with payloads (a quarter of them 3 KB) and histories, on both cores",
            SURVIVES,
        ),
    ),
    experiments=(
        Experiment("rate", {"per_second": "entries/s"}, rate),
        Experiment(
            "proof",
            {
                "proof_bytes": "bytes of a proof at 10 M entries",
                "with_mldsa_bytes": "bytes with the second signature",
                "with_entry_bytes": "bytes of the file, with a usual entry",
            },
            proof,
        ),
    ),
    comparisons=(
        Comparison("rate", "per_second", "entries/s", OURS, None, "≥ 100,000"),
        Comparison("proof", "proof_bytes", "proof at 10 M, bytes", OURS, None, "≤ 1,536"),
    ),
    yardsticks=("raw COPY",),
)
