"""`make constant-time`: does the time of a verdict tell how much of a forgery, or which secret, is right?

Exit code 1 if a row's two kinds are told apart in every run, or a planted leak is not (docs: GW-7). No part
of `make test`: it measures, and a machine that is busy with other things makes it blind, not wrong.
MEASUREMENTS=… of each kind in a run (50000; of a bare comparison four times as many), RUNS=… of each row (3),
SEED=… for the same order again.
"""

import os
import random
import secrets
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from constant_time.measuring import T_MAX, Reading, measure, tells_them_apart
from constant_time.rows import Row, rows


def main() -> int:
    """Measure all rows; the exit code."""
    console = Console(width=130)
    try:
        measurements, runs = (int(os.environ.get(n) or d) for n, d in (("MEASUREMENTS", 50_000), ("RUNS", 3)))
        seed = int(os.environ.get("SEED") or secrets.randbelow(2**31))
    except ValueError as error:
        console.print(f"constant-time: {error}", style="red", markup=False)
        return 2
    rng = random.Random(seed)
    console.print(f"{measurements} measurements of each kind, {runs} runs, SEED={seed}")
    wrong = 0
    table = Table("kinds", "t of each run", "difference", "", title="told apart by time?")
    for row in rows():
        readings = _read(row, measurements, runs, rng, console)
        is_right = tells_them_apart(readings, row.tolerated_ns) == row.is_control
        wrong += not is_right
        table.add_row(row.name, *_described(readings), _verdict(row, is_right=is_right))
    console.print(table)
    return 1 if wrong else 0


def _read(row: Row, measurements: int, runs: int, rng: random.Random, console: Console) -> list[Reading]:
    readings: list[Reading] = []
    with row.plant():
        for run in range(runs):
            readings.append(measure(row.call, row.kinds(rng), measurements=measurements * row.times, rng=rng))
            console.print(
                f"{row.name}: run {run + 1}: t = {readings[-1].t:.1f}", style="dim", highlight=False
            )
    return readings


def _described(readings: Sequence[Reading]) -> tuple[str, str]:
    mean = sum(each.difference_ns for each in readings) / len(readings)
    return "  ".join(f"{each.t:.1f}" for each in readings), f"{mean:+.1f} ns"


def _verdict(row: Row, *, is_right: bool) -> str:
    if row.is_control:
        return "seen" if is_right else f"[red]a planted leak is not seen: |t| below {T_MAX} in a run"
    return "not told apart" if is_right else f"[red]leaks: |t| over {T_MAX} in every run"


if __name__ == "__main__":
    sys.exit(main())
