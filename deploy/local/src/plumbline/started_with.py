"""`environment.json`: the variables with which each service of the running stack was started. Mode 0600."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plumbline import atomic, variables
from plumbline.failure import StackError

Environments = dict[str, dict[str, str]]
"""Service → variables."""

NOT_SET = "(not set)"
_SECRET_PARTS = ("SECRET", "KEY", "PASSWORD", "TOKEN", "DSN")


@dataclass(frozen=True, slots=True)
class Difference:
    """A variable of a service that differs from the one it was started with; None: not set."""

    name: str
    before: str | None
    now: str | None

    @property
    def line(self) -> str:
        """Return the variable and both values; a secret's values are not shown."""
        if any(part in self.name for part in _SECRET_PARTS) and not self.name.endswith("_FILE"):
            verb = "is new" if self.before is None else "is gone" if self.now is None else "is another"
            return f"{self.name} {verb}"
        return f"{self.name}: {_shown(self.before)} → {_shown(self.now)}"


def write(path: Path, environments: Mapping[str, Mapping[str, str]]) -> None:
    """Write the file atomically."""
    atomic.write_text(path, json.dumps(environments, indent=1) + "\n", mode=atomic.PRIVATE)


def read(path: Path) -> Environments:
    """Return the content; empty if the file is missing.

    Raises:
        StackError: the file cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StackError(
            f"{path} cannot be read ({error}): run `plumbline down`, then `plumbline up`"
        ) from error


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    """Return the variables that differ, by name. What every program of the machine gets is not compared."""
    machine = {*variables.for_system(before), *variables.for_system(now)}
    return [
        Difference(name, before.get(name), now.get(name))
        for name in sorted({*before, *now} - machine)
        if before.get(name) != now.get(name)
    ]


def _shown(value: str | None) -> str:
    return NOT_SET if value is None else value or "(empty)"
