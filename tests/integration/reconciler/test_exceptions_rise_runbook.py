"""The runbook of many drift exceptions, followed to the letter on a running system."""

import csv
import io
import json
import shutil
from pathlib import Path

import httpx
import pytest

from harness import Infra, start_services
from integration.audit.following import Operator
from integration.reconciler.reconciler_bookings import PRICE, completed_run, corrupt, insert_bookings
from plumbline.doctor.target import SERVICE_URLS

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


# Slow: the page's commands start a process each.
async def test_drift_of_one_cause_is_found_by_the_runbook_and_removed(
    infra: Infra, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with start_services(infra, *SERVICE_URLS) as stack:
        bookings = await insert_bookings(stack, 3)
        for booking in bookings:
            await corrupt(stack, booking, "total = $2", PRICE + 5000)
        await completed_run(stack, http)
        [group] = (await http.get(f"{stack.url('reconciler')}/api/exception-groups")).json()["items"]
        operator = Operator("drift-exceptions-rise.md", stack, infra, tmp_path, {"CAUSE": group["cause"]})
        groups, table, listed, _ = await operator.follow("1. See the causes")
        assert group["cause"] in groups.stdout, groups.stderr
        assert "3 exceptions" in table.stdout, table.stdout
        assert json.loads(listed.stdout)["summary"]["total"] == len(bookings)
        rows = csv.DictReader(io.StringIO((tmp_path / "cause.csv").read_text(encoding="utf-8")))
        assert {row["booking_id"] for row in rows} == set(bookings)
        for booking in bookings:
            await corrupt(stack, booking, "total = $2", PRICE)
        dry, run, plan = await operator.follow("2. Remove the cause")
        assert (dry.exit_code, run.exit_code) == (0, 0), (dry.stderr, run.stderr)
        assert plan.stdout.startswith("resolve on 0 exceptions"), plan.stderr
        nobodys, overdue = await operator.follow("3. See who works on what")
        assert [json.loads(each.stdout)["summary"]["total"] for each in (nobodys, overdue)] == [0, 0]
        after, metrics = await operator.follow("4. Check")
        assert after.stdout.strip() == "no exception waits", after.stderr
        assert 'reconciler_exceptions_open{severity="high",type="pricing_drift"}' in metrics.stdout
