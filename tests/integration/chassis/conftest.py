from collections.abc import AsyncGenerator

import pytest

from chassis.postgres import Database
from harness import Infra
from integration.chassis.ground import Ground, make_ground, with_topics


@pytest.fixture
async def place(infra: Infra) -> AsyncGenerator[Ground]:
    """Create a database for the test, without topics."""
    async with make_ground(infra) as made:
        yield made


@pytest.fixture
async def ground(place: Ground) -> AsyncGenerator[Ground]:
    """Create a database and topics for the test."""
    async with with_topics(place):
        yield place


@pytest.fixture
async def database(place: Ground) -> AsyncGenerator[Database]:
    """Start a connection pool of the service's role."""
    made = place.database()
    await made.start()
    yield made
    await made.stop()
