"""Run many seeds, or one with its trace. Exit code 1 if a promise was broken."""

import os
import random
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from simulation import world

SEEDS_A_TASK = 250


def main() -> int:
    parser = ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run only this one")
    parser.add_argument("--trace", action="store_true", help="print its events")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many, from 0 on")
    parser.add_argument("--random", type=int, default=0, help="how many fresh ones in addition")
    parser.add_argument(
        "--seconds-max", type=float, default=float("inf"), help="start no more after this time"
    )
    options = parser.parse_args()
    if options.seed is not None:
        return report([broken] if (broken := run(options.seed, trace=options.trace)) else [], 1)
    fresh = random.SystemRandom().randrange(10**9, 10**12) if options.random else 0
    seeds = [*range(options.seeds), *range(fresh, fresh + options.random)]
    return run_in_parallel(seeds, options.seconds_max)


def run(seed: int, *, trace: bool = False) -> str:
    """Return the broken promise of a seed; empty if there is none."""
    try:
        world.run(seed, print if trace else lambda _: None)
    except AssertionError as error:
        return f"seed {seed}: {error}; replay it: make simulate SEED={seed}"
    return ""


def run_all(seeds: Sequence[int]) -> list[str]:
    return [broken for seed in seeds if (broken := run(seed))]


def run_in_parallel(seeds: Sequence[int], seconds_max: float) -> int:
    ends_at = time.monotonic() + seconds_max
    tasks = [seeds[at : at + SEEDS_A_TASK] for at in range(0, len(seeds), SEEDS_A_TASK)]
    broken: list[str] = []
    ran, workers = 0, os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        while tasks and time.monotonic() < ends_at and not broken:
            turn, tasks = tasks[: workers * 4], tasks[workers * 4 :]
            broken += [line for lines in pool.map(run_all, turn) for line in lines]
            ran += sum(map(len, turn))
            if sys.stderr.isatty():
                print(f"\r{ran} seeds", end="", file=sys.stderr, flush=True)
    return report(broken, ran)


def report(broken: Sequence[str], ran: int) -> int:
    for line in broken:
        print(line)
    print(f"{ran} seeds, {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
