"""External servers, named by the environment. Tests cannot stop them."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest

from harness.infra import Infra
from plumbline import dsn

KAFKA_VARIABLE = "KAFKA_BOOTSTRAP"
VARIABLES = (KAFKA_VARIABLE, dsn.ADMIN_VARIABLE)


class _ExternalServer:
    """A server that tests cannot stop: a test that tries is skipped."""

    running = True

    def __init__(self, name: str) -> None:
        self._name = name

    async def start(self) -> None:
        self._skip()

    async def stop(self) -> None:
        self._skip()

    async def kill(self) -> None:
        self._skip()

    def _skip(self) -> NoReturn:
        pytest.skip(f"INFRA=external: {self._name} cannot be stopped; INFRA=embedded runs this test")


class ExternalInfra:
    """The servers of `KAFKA_BOOTSTRAP` and `POSTGRES_ADMIN_DSN`."""

    outlives_session = True

    kafka = _ExternalServer("Kafka")
    postgres = _ExternalServer("PostgreSQL")

    def __init__(self, kafka_bootstrap: str, admin_dsn: str) -> None:
        self.kafka_bootstrap = kafka_bootstrap
        self._admin_dsn = admin_dsn

    def admin_dsn(self, database: str = "postgres") -> str:
        return dsn.at_database(self._admin_dsn, database)


@asynccontextmanager
async def external_infra() -> AsyncGenerator[Infra]:
    """Return the servers that the environment names."""
    yield ExternalInfra(os.environ[KAFKA_VARIABLE], os.environ[dsn.ADMIN_VARIABLE])
