"""Where a stack lives: its state directory and its ports. Two of them let stacks live side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plumbline.failure import StackError
from plumbline.kafka import CONTROLLER_PORT_OFFSET

STATE_VARIABLE = "PLUMBLINE_STATE"
PORT_BASE_VARIABLE = "PLUMBLINE_PORT_BASE"
PORT_BASE_DEFAULT = 8080
HOST = "127.0.0.1"

_KAFKA_OFFSET = 10
_POSTGRES_OFFSET = 11
_PORT_MIN = 1024
_PORT_MAX = 65535 - _KAFKA_OFFSET - CONTROLLER_PORT_OFFSET


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """A state directory, as it was written by whoever chose it, and the first of its ports."""

    path: Path
    port_base: int

    @property
    def ledger(self) -> Path:
        """What was started from here."""
        return self.path / "processes.json"

    @property
    def lock(self) -> Path:
        """Held by the one command that is at work on this state."""
        return self.path / "lock"

    @property
    def stack_file(self) -> Path:
        """What outsiders read; there only while everything is ready."""
        return self.path / "stack.json"

    @property
    def credentials(self) -> Path:
        """Generated passwords and secrets."""
        return self.path / "credentials.json"

    @property
    def signing_key(self) -> Path:
        """The audit log's private key."""
        return self.path / "audit-signing.key"

    @property
    def checkpoints(self) -> Path:
        """Where audit puts its signed checkpoints, out of the database owner's reach."""
        return self.path / "checkpoints"

    @property
    def kafka(self) -> Path:
        """The broker's directory."""
        return self.path / "kafka"

    @property
    def postgres(self) -> Path:
        """The database server's directory."""
        return self.path / "postgres"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.path / "log" / f"{name}.log"

    @property
    def kafka_port(self) -> int:
        """The broker's port; its own quorum listens two above."""
        return self.port_base + _KAFKA_OFFSET

    @property
    def postgres_port(self) -> int:
        """The database server's port."""
        return self.port_base + _POSTGRES_OFFSET


def from_environment(environ: Mapping[str, str]) -> StateDirectory:
    """`PLUMBLINE_STATE` (default `var`) and `PLUMBLINE_PORT_BASE` (default 8080)."""
    written = environ.get(PORT_BASE_VARIABLE) or str(PORT_BASE_DEFAULT)
    if not written.isdecimal() or not _PORT_MIN <= int(written) <= _PORT_MAX:
        raise StackError(f"{PORT_BASE_VARIABLE}={written}: use a number from {_PORT_MIN} to {_PORT_MAX}")
    return StateDirectory(path=Path(environ.get(STATE_VARIABLE) or "var"), port_base=int(written))
