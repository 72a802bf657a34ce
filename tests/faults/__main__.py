"""`make faults`: every row at full size; a table, and histories and verdicts as files.

ROW=F4 runs one row (or F4,F7), SEED=… repeats a plan, LONG=1 takes a million deliveries. Exit code 1 if any
row does not hold. `make faults SHORT=1` runs `test_rows.py` instead.
"""

import asyncio
import os
import secrets
import signal
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faults.plan import FULL, LONG, Size
from faults.rows import Row, choose
from faults.verdicts import Verdict, judge
from harness import Infra, choice
from harness.choice import ChoiceError

LONG_ROW_SECONDS_MAX = 6 * 3_600.0
_SEEDS = 2**31


async def main(directory: Path) -> int:
    """Run what the environment asks for; the exit code. SIGTERM ends it as Ctrl-C does, servers and all."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console = Console()
    try:
        rows, size, seed = _wanted(os.environ)
        servers = choice.choose(os.environ)
    except (ValueError, ChoiceError) as error:
        console.print(f"faults: {error}", style="red")
        return 2
    console.print(f"{servers}; seed {seed}; {size.deliveries} deliveries over {size.bookings} bookings")
    verdicts: list[Verdict] = []
    async with servers.start() as infra:
        for number, row in enumerate(rows, 1):
            console.print(f"[{number}/{len(rows)}] {row.name} {row.fault} …", markup=False)
            verdicts.append(await _bounded(row, infra, size, seed, directory))
            _report(console, verdicts[-1])
    console.print(_table(verdicts))
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def _wanted(environ: "os._Environ[str]") -> tuple[list[Row], Size, int]:
    rows = choose(environ.get("ROW", ""))
    seed = environ.get("SEED") or str(secrets.randbelow(_SEEDS))
    if not seed.isdecimal():
        raise ValueError(f"SEED={seed}: a whole number is expected, as an earlier run printed it")
    return rows, LONG if environ.get("LONG") else FULL, int(seed)


async def _bounded(row: Row, infra: Infra, size: Size, seed: int, directory: Path) -> Verdict:
    """A row that takes too long, or breaks, does not hold; the others run all the same."""
    began = time.monotonic()
    limit = LONG_ROW_SECONDS_MAX if size == LONG else row.seconds_max
    try:
        async with asyncio.timeout(limit):
            return await judge(row, infra, size=size, seed=seed, directory=directory)
    except Exception as error:  # noqa: BLE001 - it is told in the verdict, and the exit code is 1
        seconds = round(time.monotonic() - began, 1)
        broken = Verdict(row.name, row.fault, seed, 0, [f"{type(error).__name__}: {error}"], {}, seconds)
        broken.write(directory)
        return broken


def _report(console: Console, verdict: Verdict) -> None:
    console.print(f"      {_word(verdict)} in {verdict.seconds} s {verdict.notes}", markup=False)
    for violation in verdict.violations:
        console.print(f"      {violation}", style="red", markup=False)


def _word(verdict: Verdict) -> str:
    return "holds" if verdict.holds else "VIOLATED"


def _table(verdicts: list[Verdict]) -> Table:
    table = Table("row", "fault", "seed", "deliveries", "verdict", "seconds")
    for v in verdicts:
        table.add_row(v.row, v.fault, str(v.seed), str(v.deliveries), _word(v), str(v.seconds))
    return table


RESULTS = Path("var/faults")
RESULTS.mkdir(parents=True, exist_ok=True)
sys.exit(asyncio.run(main(RESULTS)))
