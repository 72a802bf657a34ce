"""The embedded servers from Python wheels, started as by `make up`."""

import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from harness.infra import Infra
from harness.ports import free_port
from plumbline import dsn, waiting
from plumbline.kafka import CONTROLLER_PORT_OFFSET, EmbeddedKafka
from plumbline.postgres import EmbeddedPostgres

_KEEPER = Path(__file__).with_name("keeper.py")

# Tests connect for each statement, and a login of 4,096 iterations costs more than most statements.
_POSTGRES_SETTINGS = {"scram_iterations": "1"}

# A killed broker reads all partitions again, also deleted ones with files: 600 take 9 s of CPU.
_KAFKA_SETTINGS = {"log.segment.delete.delay.ms": "0"}


class EmbeddedInfra:
    """Both servers, with their data in a directory of this session."""

    outlives_session = False

    def __init__(self, directory: Path) -> None:
        self.kafka = EmbeddedKafka(
            directory / "kafka", free_port(CONTROLLER_PORT_OFFSET + 1), settings=_KAFKA_SETTINGS
        )
        self.postgres = EmbeddedPostgres(directory / "postgres", free_port(), settings=_POSTGRES_SETTINGS)

    @property
    def kafka_bootstrap(self) -> str:
        return self.kafka.bootstrap

    def admin_dsn(self, database: str = "postgres") -> str:
        return dsn.at_database(self.postgres.admin_dsn, database)


@asynccontextmanager
async def embedded_infra() -> AsyncGenerator[Infra]:
    """Run both servers, and remove their data at the end."""
    directory = _new_directory()
    infra = EmbeddedInfra(directory)
    with keeper(directory):
        try:
            await waiting.gather_or_cancel(infra.kafka.start(), infra.postgres.start())
            yield infra
        finally:
            await waiting.gather_or_cancel(infra.kafka.kill(), infra.postgres.kill())


@asynccontextmanager
async def embedded_postgres() -> AsyncGenerator[EmbeddedPostgres]:
    """Run one more PostgreSQL, and remove its data at the end."""
    directory = _new_directory()
    server = EmbeddedPostgres(directory / "postgres", free_port(), settings=_POSTGRES_SETTINGS)
    with keeper(directory):
        try:
            await server.start()
            yield server
        finally:
            await server.kill()


@contextmanager
def keeper(directory: Path) -> Generator["subprocess.Popen[bytes]"]:
    """Remove `directory` after the block, with all processes in it, also if this process is killed."""
    command = [sys.executable, "-P", "-s", _KEEPER, directory]
    # A session of its own: Ctrl-C reaches pytest only.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        yield process  # its standard input closes with the block, or with this process


def _new_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="plumbline-test-"))
    directory.chmod(0o755)  # as root, PostgreSQL runs as another user, who needs access
    return directory
