"""A4: the EventLog at 10 M entries: any single filter at any depth, and an export."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from audit.adapters.event_log_queries import EntryRecord
from audit.domain.filters import EntryFilter, Position
from audit.handlers import queries
from bench.judging import Comparison, Sample
from bench.log_data import RARE_OF, fill
from bench.measuring import Meter
from bench.row import Experiment, Row, Side, Size
from chassis.postgres import Database
from contracts.metadata import format_time
from harness import Running, Stack, start_services
from harness.databases import TestDatabase
from harness.embedded import EmbeddedInfra

OURS = "audit"
SURVIVES = "reads only"
ENTRIES = {Size.FULL: 10_000_000, Size.QUICK: 1_000_000}
READS = {Size.FULL: 20, Size.QUICK: 10}
EXPORTED = 1_000_000
PAGE_ROWS = 50
DEPTHS = (1.0, 0.5, 0.02)
"""Parts of the log, from the oldest entry, behind which a page begins."""

_CHUNK_BYTES = 1 << 20
_POSITION = "SELECT recorded_at, entry_id FROM audit.event_log WHERE entry_id >= $1 ORDER BY entry_id LIMIT 1"
_SAMPLE = """
SELECT event_id, booking_id, causation_id FROM audit.event_log
WHERE entry_id >= $1 AND causation_id IS NOT NULL ORDER BY entry_id LIMIT 1
"""


async def filters_of(stored: TestDatabase, entries: int) -> dict[str, EntryFilter]:
    """Return single filters by name: frequent, rare and absent values, and words."""
    row = await stored.fetchrow(_SAMPLE, entries // 2)
    middle = await position(stored, entries // 2)
    assert row is not None
    assert middle is not None
    texts = ("payment_intent", "card-declined", "kim", "booking changed", "nothing here", "offer amb")
    return {
        "none": EntryFilter(),
        "type": EntryFilter(event_type="booking.created"),
        "rare type": EntryFilter(event_type="booking.offer-ambiguous"),
        "absent type": EntryFilter(event_type="no.such-type"),
        "source": EntryFilter(source="stripe"),
        "absent source": EntryFilter(source="nobody"),
        "success": EntryFilter(status="success"),
        "failed": EntryFilter(status="failed"),
        "skipped": EntryFilter(status="skipped"),
        "booking": EntryFilter(booking_id=row["booking_id"]),
        "event": EntryFilter(event_id=row["event_id"]),
        "from": EntryFilter(recorded_from=middle.recorded_at),
        "to": EntryFilter(recorded_to=middle.recorded_at),
        "actor": EntryFilter(actor="system"),
        "rare actor": EntryFilter(actor="sms:kim"),
        "absent actor": EntryFilter(actor="nobody"),
        "source and status": EntryFilter(source="booking", status="failed"),
        **{f"q {text}": EntryFilter(text=text) for text in texts},
        "q an event": EntryFilter(text=row["event_id"]),
        "q a cause": EntryFilter(text=row["causation_id"]),
        "q a booking's end": EntryFilter(text=row["booking_id"][-12:]),
    }


async def position(stored: TestDatabase, entry_id: int) -> Position | None:
    row = await stored.fetchrow(_POSITION, entry_id)
    return None if row is None else Position(*row)


async def reading(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """The worst filter's p95 at the worst depth; the rate and the memory of an export."""
    async with start_services(infra) as stack:
        stored = stack.database("audit")
        database = Database(stored.dsn("audit"), application_name="bench")
        await database.start()
        try:
            await fill(stored, database, ENTRIES[size])
            meter = Meter({"postgres": infra.postgres.pid})
            slowest, wrong = await read_pages(stored, database, size)
        finally:
            await database.stop()
        export, violations = await read_export(stack, stored)
        usage = meter.read()
    cpu = {name: seconds / EXPORTED * 1e6 for name, seconds in usage.cpu_seconds.items()}
    figures = {"page_ms": max(slowest.values()), **export}
    return Sample("reading", side, round_, figures, cpu, usage.others_share, [*wrong, *violations][:3])


async def read_pages(
    stored: TestDatabase, database: Database, size: Size
) -> tuple[Mapping[str, float], list[str]]:
    slowest: dict[str, float] = {}
    wrong: list[str] = []
    for name, query in (await filters_of(stored, ENTRIES[size])).items():
        for depth in DEPTHS:
            after = None if depth == 1 else await position(stored, int(ENTRIES[size] * depth))
            seconds: list[float] = []
            for _ in range(READS[size]):
                start = time.perf_counter()
                listed = await queries.list_entries(database, query, after=after, rows_max=PAGE_ROWS + 1)
                seconds.append(time.perf_counter() - start)
                found = [entry for entry in listed.entries if isinstance(entry, EntryRecord)]
                positions = [entry.position for entry in found]
                if positions != sorted(positions, reverse=True) or not all(map(query.matches, found)):
                    wrong.append(f"{name} at {depth:.0%}: not the matching entries in order")
            if name.startswith("rare") and len(found) < min(PAGE_ROWS, int(ENTRIES[size] * depth) // RARE_OF):
                wrong.append(f"{name} at {depth:.0%}: {len(found)} entries")
            slowest[f"{name} at {depth:.0%}"] = p95(seconds) * 1000
    return slowest, wrong


async def read_export(stack: Stack, stored: TestDatabase) -> tuple[dict[str, float], list[str]]:
    """Export the first million entries from a process as it is deployed."""
    last = await position(stored, EXPORTED + 1)
    process = await stack.start("audit")
    before, until = psutil.Process(process.pid).memory_info().rss, "" if last is None else last.recorded_at
    query = f"?to={format_time(until)}" if until else ""
    start = time.perf_counter()
    entries = await count_lines(process, f"/api/event-log/export{query}")
    seconds = time.perf_counter() - start
    more = peak_bytes(process) - before
    figures = {"export_per_second": entries / seconds, "export_mib": more / 2**20}
    return figures, [] if entries >= EXPORTED else [f"{entries} of {EXPORTED} entries were exported"]


async def count_lines(process: Running, path: str) -> int:
    """Read an answer as fast as it comes, and count its lines of JSON."""
    host, port = process.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=_CHUNK_BYTES)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    lines, end = 0, b""
    while chunk := await reader.read(_CHUNK_BYTES):
        lines += (end + chunk).count(b"}\n")
        end = chunk[-1:]
    writer.close()
    return lines


def peak_bytes(process: Running) -> int:
    """Return the largest resident set that a process ever had."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def p95(values: Sequence[float]) -> float:
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


ROW = Row(
    name="A4",
    title="the EventLog, 10 million entries (QUICK: one million)",
    sides=(Side(OURS, "pages of 23 filters at three depths; an export over HTTP, as deployed", SURVIVES),),
    experiments=(
        Experiment(
            "reading",
            {
                "page_ms": "page of the worst filter, p95 ms",
                "export_per_second": "entries/s exported",
                "export_mib": "MiB more during an export",
            },
            reading,
        ),
    ),
    comparisons=(
        Comparison("reading", "page_ms", "page of the worst filter and depth, p95 ms", OURS, None, "≤ 50"),
        Comparison("reading", "export_per_second", "export, entries/s", OURS, None, "≥ 50,000"),
        Comparison("reading", "export_mib", "memory of an export, MiB more", OURS, None, "≤ 64"),
    ),
    yardsticks=("raw COPY",),
)
