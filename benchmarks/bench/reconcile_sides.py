"""Sides of the rows about reconciliation, and the process that executes runs."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil

from harness import Running, Stack, eventually
from harness.embedded import EmbeddedInfra

OURS, SCRIPT, SQL = "reconciler", "everyday script", "one SQL statement"
SURVIVES = "process dies: resumed after its last page; machine dies: what was committed"
SURVIVES_NOTHING = "process dies: nothing, it begins anew; machine dies: the same"

RUN_SECONDS_MAX = 3_600.0
_SCRIPT = Path(__file__).parent / "peers" / "reconcile_script.py"

# Compares stored lines with the card's rates, their sum, both totals and the money, in one statement. It
# counts no visits: a wrong quantity that adds up is not found.
_ONE_STATEMENT = """
CREATE TABLE public.sql_exception AS
WITH rate (service, code, unit_amount) AS (
    VALUES
        ('drop-in', 'visit', 2000), ('drop-in', 'long_visit', 3200), ('drop-in', 'extra_pet', 500),
        ('drop-in', 'holiday', 1000), ('dog-walking', 'visit', 2000), ('dog-walking', 'long_visit', 3200),
        ('dog-walking', 'extra_pet', 500), ('dog-walking', 'holiday', 1000), ('pet-taxi', 'visit', 2000),
        ('pet-taxi', 'extra_pet', 500), ('pet-taxi', 'holiday', 1500)
),
paid AS (SELECT booking_id, sum(captured - refunded) AS charged FROM booking.payment GROUP BY booking_id)
SELECT b.booking_id, b.total AS stored, line.computed, paid.charged
FROM booking.booking AS b
LEFT JOIN paid USING (booking_id)
CROSS JOIN LATERAL (
    SELECT
        sum((item ->> 'quantity')::bigint * rate.unit_amount) AS computed,
        bool_or((item ->> 'amount')::bigint <> (item ->> 'quantity')::bigint * rate.unit_amount) AS wrong
    FROM jsonb_array_elements(b.pricing -> 'line_items') AS item
    LEFT JOIN rate ON rate.service = b.pricing #>> '{inputs,service}' AND rate.code = item ->> 'code'
) AS line
WHERE b.status IN ('confirmed', 'in_progress', 'completed')
    AND (
        line.wrong
        OR abs(line.computed - b.total) > 1
        OR abs(line.computed - (b.pricing ->> 'total')::bigint) > 1
        OR abs(line.computed - coalesce(paid.charged, 0)) > 1
    )
"""


async def request_run(stack: Stack, http: httpx.AsyncClient, **body: Any) -> str:
    """Request a run and return its id."""
    response = await http.post(f"{stack.url('reconciler')}/api/reconciliation/runs", json=body)
    response.raise_for_status()
    return response.json()["id"]


async def ended_run(stack: Stack, http: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run and return it."""

    async def ended() -> dict[str, Any] | None:
        run = (await http.get(f"{stack.url('reconciler')}/api/reconciliation/runs/{run_id}")).json()
        return run if run["finished_at"] else None

    run = await eventually(ended, seconds=RUN_SECONDS_MAX, what=f"run {run_id} has ended")
    assert run is not None, "it was waited for"
    return run


async def run_script(stack: Stack) -> tuple[int, set[str]]:
    """Run the everyday script as a process. Return the bookings checked and those it found."""
    dsn = stack.database("booking").dsn()
    command = [sys.executable, str(_SCRIPT), dsn]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    rows = await stack.database("booking").fetch("SELECT booking_id FROM public.script_exception")
    return json.loads(done.stdout)["checked"], {str(row["booking_id"]) for row in rows}


async def run_statement(stack: Stack) -> set[str]:
    """Execute the one statement. Return the bookings that it found."""
    async with stack.database("booking").connect() as connection:
        await connection.execute(_ONE_STATEMENT, timeout=RUN_SECONDS_MAX)
        rows = await connection.fetch("SELECT booking_id FROM public.sql_exception")
    return {str(row["booking_id"]) for row in rows}


async def found_by_run(stack: Stack) -> set[str]:
    """Return the bookings with an open exception."""
    rows = await stack.database("reconciler").fetch(
        "SELECT DISTINCT booking_id FROM exception WHERE status <> 'resolved'"
    )
    return {row["booking_id"] for row in rows}


def peak_megabytes(process: Running) -> float:
    """Return the largest resident set that a process ever had."""
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise psutil.NoSuchProcess(process.pid)


def trees(infra: EmbeddedInfra, process: Running | None) -> dict[str, int]:
    """Return the process trees to account for."""
    own = {} if process is None else {"reconciler": process.pid}
    return {**own, "postgres": infra.postgres.pid}
