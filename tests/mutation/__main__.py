"""`make mutants`: takes each safety line away in turn and reports the test that fails (faults.md F34).

ID=relay (or relay,inbox-conflict) tries the mutants whose ids begin so. Exit code 1 if fewer than 95 % are
caught, or if the tests do not pass as the code is.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness import Infra
from harness.choice import ChoiceError, choose
from harness.external import VARIABLES
from mutation.mutants import ROOT, Mutant, NotApplicableError, load, select
from mutation.tree import assert_apart, copied_tree, snapshot
from mutation.trial import Outcome, Trial, run_tests, try_mutant

WORKERS_MAX = 2
CAUGHT_SHARE_MIN = 0.95
BASELINE_SECONDS_MAX = 1_800.0
RESULTS = ROOT / "var" / "mutants"


async def main() -> int:
    """Try the mutants that ID selects. Return the exit code. SIGTERM ends the servers, as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console = Console()
    try:
        mutants = select([each for each in load() if not each.is_simulated], os.environ.get("ID", ""))
        for mutant in mutants:
            mutant.applied_to((ROOT / mutant.file).read_text())
        choice = choose(os.environ)
    except (ValueError, NotApplicableError, ChoiceError) as error:
        console.print(f"mutants: {error}", style="red", markup=False)
        return 2
    console.print(f"{choice}; {len(mutants)} mutants")
    with snapshot() as sources:
        async with choice.start() as infra:
            bench = Bench(sources, infra)
            if obstacle := await _baseline(mutants, bench):
                console.print(f"the tests do not pass as the code is: {obstacle}", style="red", markup=False)
                return 1
            trials = await _try_all(mutants, bench, console)
    _write(trials)
    console.print(_table(trials))
    console.print(_summary(trials), markup=False, soft_wrap=True)
    return 0 if _share(trials) >= CAUGHT_SHARE_MIN else 1


class Bench:
    """A snapshot of the sources, and servers for tests that do not stop them."""

    def __init__(self, sources: Path, shared: Infra) -> None:
        self.sources = sources
        addresses = (shared.kafka_bootstrap, shared.admin_dsn())
        self._shared = {"INFRA": "external", **dict(zip(VARIABLES, addresses, strict=True))}

    def environment(self, *, own: bool) -> Mapping[str, str]:
        """Return the environment variables for pytest."""
        return {"INFRA": "embedded"} if own else self._shared


async def _baseline(mutants: Sequence[Mutant], bench: Bench) -> str:
    """Return an empty text if all named tests pass, else the reason. A skipped test catches nothing."""
    with copied_tree(bench.sources) as tree:
        assert_apart(tree)
        for own in (False, True):
            tests = sorted({test for mutant in mutants if mutant.own_servers is own for test in mutant.tests})
            if not tests:
                continue
            run = await run_tests(tree, tests, bench.environment(own=own), seconds_max=BASELINE_SECONDS_MAX)
            if run.exit_code != 0:
                return ", ".join(run.failed) or run.last_line or "they do not end"
            if run.skipped and not own:
                return f"skipped: {', '.join(run.skipped)}"
    return ""


async def _try_all(mutants: Sequence[Mutant], bench: Bench, console: Console) -> list[Trial]:
    room = asyncio.Semaphore(WORKERS_MAX)
    done = 0

    async def one(mutant: Mutant) -> Trial:
        nonlocal done
        async with room:
            trial = await try_mutant(mutant, bench.sources, bench.environment(own=mutant.own_servers))
        done += 1
        console.print(_line(trial, f"[{done}/{len(mutants)}]"), markup=False, highlight=False, soft_wrap=True)
        return trial

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(mutant)) for mutant in mutants]
    return [task.result() for task in tasks]


def _line(trial: Trial, number: str) -> str:
    return f"{number} {trial.mutant.id}: {trial.outcome} in {trial.seconds} s {trial.by}"


def _share(trials: Sequence[Trial]) -> float:
    return sum(trial.outcome is Outcome.CAUGHT for trial in trials) / len(trials)


def _summary(trials: Sequence[Trial]) -> str:
    caught = sum(trial.outcome is Outcome.CAUGHT for trial in trials)
    lines = [f"{caught} of {len(trials)} caught, {_share(trials):.1%}"]
    for trial in trials:
        if trial.outcome is not Outcome.CAUGHT:
            why = trial.by or trial.mutant.survives or "no test notices"
            lines.append(f"{trial.outcome} {trial.mutant.id} ({trial.mutant.lost}): {why}")
    return "\n".join(lines)


def _table(trials: Sequence[Trial]) -> Table:
    table = Table("mutant", "what is lost", "outcome", "caught by", "seconds")
    for trial in trials:
        name = trial.by.rpartition("::")[2]
        table.add_row(trial.mutant.id, trial.mutant.lost, trial.outcome, name, str(trial.seconds))
    return table


def _write(trials: Sequence[Trial]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    path: Path = RESULTS / "trials.json"
    path.write_text(json.dumps([asdict(trial) for trial in trials], indent=1) + "\n")


sys.exit(asyncio.run(main()))
