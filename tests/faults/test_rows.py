"""`make faults SHORT=1`: the rows that belong to every commit, small. ROW=F4 and SEED=… choose others.

Each row starts a stack, breaks it and waits until all has arrived, so `make test` leaves them out.
"""

import os
from pathlib import Path

import pytest

from faults.plan import SHORT
from faults.rows import Row, choose
from faults.verdicts import judge
from harness import Infra

SEED = int(os.environ.get("SEED") or 20_261_123)


@pytest.mark.timeout(360)
@pytest.mark.parametrize("row", choose(os.environ.get("ROW", ""), is_short=True), ids=lambda row: row.name)
async def test_fault_under_load_leaves_every_promise_kept(row: Row, infra: Infra, tmp_path: Path) -> None:
    verdict = await judge(row, infra, size=SHORT, seed=SEED, directory=tmp_path)
    assert verdict.holds, "\n".join([*verdict.violations, str(verdict.notes)])
