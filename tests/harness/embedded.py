"""The embedded servers from Python wheels, started as by `make up`."""

import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from harness.infra import Infra
from harness.ports import free_port
from plumbline import dsn, waiting
from plumbline.kafka import CONTROLLER_PORT_OFFSET, EmbeddedKafka
from plumbline.postgres import EmbeddedPostgres

# Tests connect for each statement, and a login of 4,096 iterations costs more than most statements.
_POSTGRES_SETTINGS = {"scram_iterations": "1"}


class EmbeddedInfra:
    """Both servers, with their data in a directory of this session."""

    outlives_session = False

    def __init__(self, directory: Path) -> None:
        self.kafka = EmbeddedKafka(directory / "kafka", free_port(CONTROLLER_PORT_OFFSET + 1))
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
    try:
        await waiting.gather_or_cancel(infra.kafka.start(), infra.postgres.start())
        yield infra
    finally:
        await waiting.gather_or_cancel(infra.kafka.kill(), infra.postgres.kill())
        shutil.rmtree(directory)


def _new_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="plumbline-test-"))
    directory.chmod(0o755)  # as root, PostgreSQL runs as another user, who needs access
    return directory
