"""Run every step of `make check`, then list what failed, with the command that mends it."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_BIN = Path(sys.executable).parent
_TESTS = (
    "tests/test_tidy.py",
    "tests/contract",
    "tests/mutation",
    "tests/unit/chassis/auth/test_access.py",
    "tests/unit/booking/test_domain_coverage.py",
    "tests/unit/deploy/test_sbom.py",
)
"""They need no broker and look at the whole tree. `make test` leaves them out."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its command, what it demands in a sentence, and what mends a failure."""

    command: tuple[str, ...]
    rule: str
    remedy: str


def steps(root: Path) -> Sequence[Step]:
    """Return the steps in their order."""
    migrations = sorted(
        str(path.relative_to(root))
        for pattern in ("libs/chassis/src/chassis/migrations/*.sql", "services/*/src/*/migrations/*.sql")
        for path in root.glob(pattern)
    )
    python = str(_BIN / "python")
    return [
        Step(_tool("ruff", "format", "--check", "."), "The code has the house format.", "make format"),
        Step(_tool("ruff", "check", "."), "The code follows the lint rules.", "make format mends some"),
        Step(_tool("lint-imports"), "Imports keep the walls of ARCHITECTURE.md.", "move the import"),
        Step(_tool("pyright"), "Types are complete and right.", "correct the lines named above"),
        Step(_tool("squawk", *migrations), "Migrations lock nothing for long.", "correct the named file"),
        Step(
            (python, "-m", "contract_tools.migration_digests", "--check"),
            "A published migration is never edited.",
            "restore the file and write a new one; after adding a file: make contracts",
        ),
        Step((python, "-m", "contract_tools", "--check"), "Contract documents are new.", "make contracts"),
        Step(
            (python, "-m", "pytest", "-q", *_TESTS),
            "House rules and contracts hold: names, roles, refused requests, branches, bill of materials.",
            "see the tests named above",
        ),
    ]


def main() -> None:
    """Run the steps. Exit with 1 if one failed."""
    failed = [step for step in steps(Path.cwd()) if not _passes(step)]
    for step in failed:
        sys.stdout.write(f"FAILED  {Path(step.command[0]).name} {' '.join(step.command[1:4])}\n")
        sys.stdout.write(f"        {step.rule} To mend it: {step.remedy}\n")
    sys.stdout.write(f"check: {len(steps(Path.cwd()))} steps, {len(failed) or 'none'} failed\n")
    raise SystemExit(1 if failed else 0)


def _passes(step: Step) -> bool:
    sys.stdout.flush()
    return subprocess.run(step.command, check=False).returncode == 0  # noqa: S603 - our own commands


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(_BIN / name), *arguments)


if __name__ == "__main__":
    main()
