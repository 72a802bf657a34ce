"""The runbook of a late Stripe sweep, followed to the letter on a running system."""

import re
import shutil
from pathlib import Path

import httpx
import pytest

from harness import Infra, eventually, start_services
from harness.stripe_api import API_KEY, stripe_api
from integration.audit.following import Operator
from integration.reconciler.stripe_days import EVENTS, LISTS, empty_lists, sweep
from plumbline.doctor.target import SERVICE_URLS

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("psql")), reason="curl or psql is not installed"
)


# Slow: the page's commands start a process each.
async def test_sweep_that_stripe_refused_is_found_by_the_runbook_and_made_up_for(
    infra: Infra, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    with stripe_api() as stripe:
        empty_lists(stripe)
        env = {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": stripe.url}
        async with start_services(infra, *SERVICE_URLS, env=env) as stack:
            operator = Operator("sweep-late.md", stack, infra, tmp_path)
            stripe.failures[EVENTS] = [401]
            assert (await sweep(stack, http))["status"] == "failed"
            last, ready = await operator.follow("1. Look at the last sweeps")
            assert "Stripe refused STRIPE_API_KEY (401)" in last.stdout
            assert '"detail":"owner"' in ready.stdout
            (table,) = await operator.follow("2. See whether a process may sweep")
            assert "failed" in table.stdout, table.stderr
            dry, done = await operator.follow("3. Sweep now")
            assert (dry.exit_code, done.exit_code) == (0, 0), (dry.stderr, done.stderr)
            assert "completed" in done.stdout
            newest, open_ones = await operator.follow("4. Check")
            assert '"status":"completed"' in newest.stdout
            assert "no exception waits" in open_ones.stdout, open_ones.stdout
            covered = re.compile(r"^reconciler_sweep_covered_timestamp_seconds [1-9]", re.MULTILINE)

            async def is_covered() -> bool:
                text = (await http.get(f"{stack.url('reconciler')}/metrics")).text
                assert 'reconciler_swept_events_total{outcome="missed"} 0.0' in text
                return covered.search(text) is not None

            await eventually(is_covered)
            assert set(stripe.requests) == set(LISTS)
