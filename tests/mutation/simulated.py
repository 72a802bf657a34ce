"""`make simulate-faults`: plants the catalogue's faults of the simulation, each of which a seed must show.

Exit code 1 if a fault survives, 2 if a mutant does not fit the code. ID=sim-key some.
"""

import os
import signal
import sys
from importlib import import_module
from inspect import isfunction
from multiprocessing import Pool
from pathlib import Path
from types import ModuleType

from rich.console import Console

from mutation.mutants import ROOT, Mutant, NotApplicableError, load, select
from simulation import world

SEEDS = 10_000
# A fault that lets a world spin for so long is seen too.
SECONDS_MAX = 20
SURVIVED = "NOT SEEN"


def plant(mutant: Mutant) -> None:
    """Replace the code of the module's functions in this process, wherever they are known by name."""
    module = import_module(_module_name(mutant.file))
    text = mutant.applied_to((ROOT / mutant.file).read_text())
    changed = dict(vars(module))
    exec(compile(text, f"changed {module.__name__}", "exec"), changed)
    for name, was in vars(module).items():
        if _is_own(was, module):
            _replace_code(was, changed[name])
            for attribute, method in vars(was).items() if isinstance(was, type) else ():
                _replace_code(method, vars(changed[name])[attribute])


def first_seed(mutant: Mutant) -> tuple[str, str]:
    """Return the mutant's id, and the first seed that fails with it, and how."""
    plant(mutant)
    signal.signal(signal.SIGALRM, _give_up)
    seed = -1
    try:
        for seed in range(SEEDS):
            signal.alarm(SECONDS_MAX)
            world.run(seed)
    except Exception as error:  # noqa: BLE001 - however a world breaks, the fault was seen
        return mutant.id, f"seed {seed}: {type(error).__name__} {error}"[:110]
    return mutant.id, SURVIVED


def main() -> int:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    try:
        mutants = select([mutant for mutant in load() if mutant.is_simulated], os.environ.get("ID", ""))
        for mutant in mutants:
            mutant.applied_to((ROOT / mutant.file).read_text())
    except (ValueError, NotApplicableError) as error:
        console.print(f"simulate-faults: {error}")
        return 2
    survivors = 0
    with Pool(maxtasksperchild=1) as pool:
        for mutant_id, outcome in pool.imap(first_seed, mutants, chunksize=1):
            survivors += outcome == SURVIVED
            console.print(f"{mutant_id:30} {outcome}")
    console.print(f"{len(mutants)} faults, {survivors} not seen in {SEEDS} seeds")
    return 1 if survivors else 0


def _module_name(file: str) -> str:
    path = Path(file).with_suffix("")
    root = "src" if "src" in path.parts else "tests"
    return ".".join(path.parts[path.parts.index(root) + 1 :])


def _is_own(value: object, module: ModuleType) -> bool:
    return getattr(value, "__module__", "") == module.__name__


def _replace_code(was: object, made: object) -> None:
    if isinstance(was, property) and isinstance(made, property):
        was, made = was.fget, made.fget
    if isfunction(was) and isfunction(made):
        was.__code__ = made.__code__


def _give_up(*_: object) -> None:
    raise TimeoutError("spins")


if __name__ == "__main__":
    sys.exit(main())
