"""The runbook of failed runs, followed to the letter on a running system."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from chassis.clock import new_id
from harness import Infra, start_services
from integration.audit.following import Operator
from integration.reconciler.reconciler_bookings import ended_run, insert_bookings
from plumbline.doctor.target import SERVICE_URLS

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("psql")), reason="curl or psql is not installed"
)

# A run that has one booking in its totals and none in the records of its pages.
_FALSIFIED = """
INSERT INTO run (
    id, status, trigger, requested_by, requested_at, queued_at, started_at, after_booking_id, pages, scanned,
    clean
)
VALUES ($1, 'running', 'api', 'x', now(), now(), now(), 'ffffffff-ffff-ffff-ffff-ffffffffffff', 1, 1, 1)
"""


# Slow: the page's commands start a process each.
async def test_run_whose_figures_disagree_is_found_and_repeated(
    infra: Infra, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with start_services(infra, *SERVICE_URLS) as stack:
        await insert_bookings(stack)
        run_id = new_id()
        await stack.database("reconciler").execute(_FALSIFIED, run_id)
        await ended_run(stack, http, run_id)
        operator = Operator("run-failed.md", stack, infra, tmp_path, {"RUN": run_id})
        table, shown = await operator.follow("1. Look")
        assert "failed" in table.stdout, table.stderr
        assert "figures disagree: pages 1 in the run, 0 recorded" in json.loads(shown.stdout)["error"]
        [figures] = await operator.follow("2. Figures that disagree")
        assert figures.exit_code == 0, figures.stderr
        assert "(1 row)" in figures.stdout
        [again] = await operator.follow("3. Run again")
        assert (again.exit_code, again.stderr) == (0, "")
        [newest] = await operator.follow("4. Check")
        assert "completed" in newest.stdout
        assert run_id not in newest.stdout
