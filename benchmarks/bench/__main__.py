"""`make bench`: the rows of performance.md that can be run; tables, and results as files.

ROW=B3 one row (or several, with commas), ROUNDS=… instead of 5, QUICK=1 short samples and two rounds, to see
that everything works; its results go to `var/bench/quick`. Exit code 1 if a sample was not correct.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table as Printed

from bench import document
from bench.row import Row, Size
from bench.rows import ROWS
from bench.running import ROUNDS, NotRunError, Result, run_row
from harness.embedded import EmbeddedInfra, embedded_infra

RESULTS = Path("var/bench")
_QUICK_ROUNDS = 2


async def main() -> int:
    """Run what the environment asks for; the exit code. SIGTERM ends it as Ctrl-C does, servers and all."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console = Console(soft_wrap=True, highlight=False)
    _quiet()
    try:
        rows, rounds, size = wanted(os.environ)
    except ValueError as error:
        console.print(f"bench: {error}", style="red", markup=False)
        return 2
    console.print("starting the embedded Kafka and PostgreSQL …")
    results: list[Result] = []
    async with embedded_infra() as infra:
        assert isinstance(infra, EmbeddedInfra)
        for row in rows:
            try:
                result = await run_row(
                    row, infra, rounds=rounds, size=size, say=lambda text: console.print(text, markup=False)
                )
            except NotRunError as error:
                console.print(f"{row.name} is not run: {error}", style="yellow", markup=False)
                continue
            _tell(console, result)
            results.append(result)
    return int(any(sample.violations for result in results for sample in result.samples.taken))


def _quiet() -> None:
    """Each sample migrates databases and makes topics; what goes well there is nobody's business here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    logging.getLogger("aiokafka").setLevel(logging.ERROR)


def wanted(environ: Mapping[str, str]) -> tuple[list[Row], int, Size]:
    """The rows, how many rounds, how long the samples are.

    Raises:
        ValueError: a variable says what cannot be done.
    """
    names = [name.strip().upper() for name in environ.get("ROW", "").split(",") if name.strip()]
    if unknown := set(names) - ROWS.keys():
        raise ValueError(f"ROW={','.join(sorted(unknown))}: choose from {', '.join(ROWS)}")
    size = Size.QUICK if environ.get("QUICK") else Size.FULL
    rounds = environ.get("ROUNDS") or str(_QUICK_ROUNDS if size is Size.QUICK else ROUNDS)
    if not rounds.isdecimal() or not int(rounds):
        raise ValueError(f"ROUNDS={rounds}: a whole number from 1 on is expected")
    return [row for name, row in ROWS.items() if not names or name in names], int(rounds), size


def _tell(console: Console, result: Result) -> None:
    told = document.to_document(result)
    for table in document.tables(told):
        printed = Printed(*table.header, title=f"{result.row.name} {table.title}", title_justify="left")
        for row in table.rows:
            printed.add_row(*row)
        console.print(printed, soft_wrap=False)
    for obstacle in result.obstacles:
        console.print(f"no number: {obstacle}", style="yellow", markup=False)
    folder = RESULTS / "quick" if result.size is Size.QUICK else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.row.name}.json"
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"written: {path}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
