"""One trial: a copy of the tree, one line of it taken away, and the tests that must notice."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree as ET

from mutation.mutants import Mutant
from mutation.tree import copied_tree, interpreter

TRIAL_SECONDS_MAX = 300.0
TEST_SECONDS_MAX = 90
END_SECONDS_MAX = 30.0
# Exit codes of pytest; all others are errors of the run.
_ALL_PASSED, _SOME_FAILED = 0, 1


class Outcome(StrEnum):
    """The result of a trial."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"  # the tests could not be run, which proves nothing


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant's trial. `by` is the test that noticed, or what went wrong."""

    mutant: Mutant
    outcome: Outcome
    by: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run of pytest: exit code (None: it did not end), failed and skipped tests, last line."""

    exit_code: int | None
    failed: list[str]
    skipped: list[str]
    last_line: str


async def try_mutant(mutant: Mutant, sources: Path, environment: Mapping[str, str]) -> Trial:
    """Take the line away and run the tests.

    A run that does not end counts as caught: nobody would take such a change for good.

    Args:
        mutant: to be tried.
        sources: a snapshot.
        environment: names the servers.

    Raises:
        NotApplicableError: the mutant does not fit the code.
    """
    began = time.monotonic()
    with copied_tree(sources) as tree:
        file = tree / mutant.file
        file.write_text(mutant.applied_to(file.read_text()))
        run = await run_tests(tree, mutant.tests, environment, "-x")
    return Trial(mutant, *_classify(run), round(time.monotonic() - began, 1))


def _classify(run: Run) -> tuple[Outcome, str]:
    if run.exit_code is None:
        return Outcome.CAUGHT, f"a run that does not end within {TRIAL_SECONDS_MAX:g} s"
    if run.exit_code == _SOME_FAILED:
        return Outcome.CAUGHT, run.failed[0]
    if run.exit_code == _ALL_PASSED:
        return Outcome.SURVIVED, ""
    return Outcome.BROKEN, run.last_line


async def run_tests(
    tree: Path,
    tests: Sequence[str],
    environment: Mapping[str, str],
    *options: str,
    seconds_max: float = TRIAL_SECONDS_MAX,
) -> Run:
    """Run tests of a copied tree in bounded time, the same ones in the same way each time."""
    report = tree.parent / "report.xml"
    process = await asyncio.create_subprocess_exec(
        *(interpreter(tree), "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
        *("--durations=0", "--hypothesis-seed=0", f"--timeout={TEST_SECONDS_MAX}", f"--junitxml={report}"),
        *(*options, *tests),
        cwd=tree,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds_max):
            output, _ = await process.communicate()
    except TimeoutError:
        return Run(None, [], [], "")
    finally:
        await _end(process)
    last_line = next((line for line in reversed(output.decode(errors="replace").splitlines()) if line), "")
    return Run(
        process.returncode, _cases_with(report, "failure", "error"), _cases_with(report, "skipped"), last_line
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let the tests end the services that they started, then end what is left."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


def _cases_with(report: Path, *results: str) -> list[str]:
    if not report.exists():
        return []
    cases = ET.parse(report).iter("testcase")
    return [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if any(case.find(result) is not None for result in results)
    ]
