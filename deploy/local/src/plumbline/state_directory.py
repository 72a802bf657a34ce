"""State directory and ports of a stack. Stacks with different directories and ports can run concurrently."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.process import local_stack
from plumbline.failure import StackError
from plumbline.kafka import CONTROLLER_PORT_OFFSET

STATE_VARIABLE = local_stack.STATE_VARIABLE
PORT_BASE_VARIABLE = "PLUMBLINE_PORT_BASE"
PORT_BASE_DEFAULT = 8080
HOST = "127.0.0.1"

_KAFKA_OFFSET = 10
_POSTGRES_OFFSET = 11
_PORT_MIN = 1024
_PORT_MAX = 65535 - _KAFKA_OFFSET - CONTROLLER_PORT_OFFSET


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """A state directory, with its path as the user wrote it, and the stack's first port."""

    path: Path
    port_base: int

    @property
    def ledger(self) -> Path:
        """Ledger of the started processes."""
        return self.path / "processes.json"

    @property
    def lock(self) -> Path:
        """Lock file of the command that uses the directory."""
        return self.path / "lock"

    @property
    def stack_file(self) -> Path:
        """File for other programs; exists only while the stack is ready."""
        return self.path / "stack.json"

    @property
    def environments(self) -> Path:
        """Variables with which each service was started (`plumbline.started_with`)."""
        return self.path / local_stack.FILE

    @property
    def credentials(self) -> Path:
        return self.path / "credentials.json"

    @property
    def signing_key(self) -> Path:
        return self.path / "audit-signing.key"

    @property
    def mldsa_key(self) -> Path:
        return self.path / "audit-mldsa.key"

    @property
    def checkpoints(self) -> Path:
        """Directory of audit's signed checkpoints, which the database owner cannot change."""
        return self.path / "checkpoints"

    @property
    def kafka(self) -> Path:
        return self.path / "kafka"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    def log(self, name: str) -> Path:
        return self.path / "log" / f"{name}.log"

    @property
    def kafka_port(self) -> int:
        """Port of the broker; Kafka's quorum listens two above."""
        return self.port_base + _KAFKA_OFFSET

    @property
    def postgres_port(self) -> int:
        return self.port_base + _POSTGRES_OFFSET


def from_environment(environ: Mapping[str, str]) -> StateDirectory:
    """Read `PLUMBLINE_STATE` (default `var`) and `PLUMBLINE_PORT_BASE` (default 8080)."""
    port_base = environ.get(PORT_BASE_VARIABLE) or str(PORT_BASE_DEFAULT)
    if not port_base.isdecimal() or not _PORT_MIN <= int(port_base) <= _PORT_MAX:
        raise StackError(f"{PORT_BASE_VARIABLE}={port_base}: use a number from {_PORT_MIN} to {_PORT_MAX}")
    return StateDirectory(
        path=Path(environ.get(STATE_VARIABLE) or local_stack.STATE_DEFAULT), port_base=int(port_base)
    )
