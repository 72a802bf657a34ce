"""The rows that belong to every commit, small; `make faults` runs all of them at full size."""

from pathlib import Path

import pytest

from faults.plan import SHORT
from faults.rows import ROWS, Row
from faults.verdicts import judge
from harness import Infra

SEED = 20_261_123


@pytest.mark.timeout(360)
@pytest.mark.parametrize("row", [row for row in ROWS if row.in_make_test], ids=lambda row: row.name)
async def test_fault_under_load_leaves_every_promise_kept(row: Row, infra: Infra, tmp_path: Path) -> None:
    verdict = await judge(row, infra, size=SHORT, seed=SEED, directory=tmp_path)
    assert verdict.holds, "\n".join([*verdict.violations, str(verdict.notes)])
