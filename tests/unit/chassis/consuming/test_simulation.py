"""The seeded simulation (docs/simulation.md): the first worlds, the same each time, and a few fresh ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from chassis.consuming import state_machine
from chassis.consuming.partitions import AssignedPartitions
from harness.exploring import examples
from simulation import world

TESTS = Path(__file__).parents[3]


def run_worlds(seeds: int) -> None:
    for seed in range(seeds):
        world.run(seed)


# Slow: a part of the simulation; `make faults` runs all of it.
@pytest.mark.timeout(900)
def test_seeds_and_a_few_fresh_ones_keep_every_promise() -> None:
    seeds = min(examples(10_000), 400)  # `make faults` runs all of them with the command itself
    command = [sys.executable, "-m", "simulation", "--seeds", str(seeds), "--random", str(seeds // 20)]
    finished = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_fault_in_the_state_machine_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_machine, "is_to_blame", lambda entry, *_, **__: entry.failures > 0)
    with pytest.raises(AssertionError, match="set aside without fault"):
        run_worlds(500)


def test_failure_of_the_loop_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real loop restarts by itself, so the failure would have no other sign."""
    monkeypatch.setattr(AssignedPartitions, "record_committed", lambda *_: 1 / 0)
    with pytest.raises(AssertionError, match="loop failed"):
        world.run(0)


def test_seed_is_the_same_world_every_time() -> None:
    first: list[str] = []
    second: list[str] = []
    world.run(7, first.append)
    world.run(7, second.append)
    assert first == second
    assert len(first) > 20
