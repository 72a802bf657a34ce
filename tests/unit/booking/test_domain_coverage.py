"""The unit tests of booking's domain take every branch of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

UNIT_TESTS = Path(__file__).parent
ROOT = UNIT_TESTS.parents[2]
TESTS_OF_THE_DOMAIN = (
    "anomalies",
    "changes",
    "derivation",
    "entries",
    "filters",
    "imported_past",
    "offers",
    "replies",
    "requests",
    "revisions",
    "settlement",
    "sms_messages",
    "status_changes",
    "thin_events",
)


@pytest.mark.slow
def test_every_branch_of_the_domain_is_taken(tmp_path: Path) -> None:
    names = [str(UNIT_TESTS / f"test_{name}.py") for name in TESTS_OF_THE_DOMAIN]
    # One example of what explores is enough for the branches.
    environment = {**os.environ, "EXPLORE": "quick", "COVERAGE_FILE": str(tmp_path / "data")}
    coverage = (sys.executable, "-m", "coverage")
    options = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "-q", "--no-header")
    run = ("run", "--branch", "--source=booking.domain", "-m", "pytest", *options, *names)
    tests = subprocess.run(
        [*coverage, *run], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr
    report = subprocess.run(
        [*coverage, "report", "--show-missing", "--skip-covered", "--fail-under=100"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert report.returncode == 0, report.stdout + report.stderr
