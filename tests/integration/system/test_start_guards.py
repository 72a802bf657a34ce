"""A service on a database without its migrations, or without topics, says what to do and waits."""

import re
from collections.abc import AsyncGenerator

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from contracts.topics import TOPICS
from harness import Infra, Stack, eventually, start_services
from harness.processes import Running

SERVICES = ("booking", "audit", "reconciler")
EXIT_SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
async def bare(infra: Infra) -> AsyncGenerator[Stack]:
    """The gateway needs no database, so none has been migrated."""
    async with start_services(infra, "webhook-gateway", unmigrated=True) as stack:
        yield stack


async def obstacle(http: httpx.AsyncClient, running: Running) -> str:
    """Return what a starting service says that it waits for; empty before it says anything."""
    try:
        answer = await http.get(f"{running.url}/health/ready")
    except httpx.TransportError:
        return ""
    assert answer.status_code == 503
    return answer.json()["checks"]["started"]["detail"]


async def says(http: httpx.AsyncClient, running: Running, pattern: str) -> str:
    async def said() -> str | None:
        detail = await obstacle(http, running)
        return detail if re.search(pattern, detail) else None

    found = await eventually(said, seconds=60, what=f"{running.name} says {pattern}")
    assert "\n" not in found
    return found


async def migrate(stack: Stack, service: str) -> None:
    variables = {f"{service.upper()}_MIGRATIONS_DSN": stack.database(service).dsn()}
    done = await stack.run(service, "migrate", env=variables)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("service", SERVICES)
async def test_unmigrated_database_is_named_with_what_to_do(
    bare: Stack, http: httpx.AsyncClient, service: str
) -> None:
    running = await bare.start(service, ready=False)
    try:
        detail = await says(http, running, "migrations: MigrationsMissingError")
        assert detail.endswith(f"the database lacks its migrations: run `{service} migrate`")
        await migrate(bare, service)
        await eventually(lambda: bare.ready(service), seconds=60)
    finally:
        await running.stop()


@pytest.mark.parametrize("service", SERVICES)
async def test_older_database_ends_the_service_with_1_after_its_time(
    infra: Infra, http: httpx.AsyncClient, service: str
) -> None:
    async with start_services(infra) as stack:
        name = await stack.database(service).fetchval(
            "DELETE FROM schema_migration WHERE (package, name) ="
            " (SELECT package, name FROM schema_migration WHERE package = $1 ORDER BY name DESC LIMIT 1)"
            " RETURNING name",
            service,
        )
        running = await stack.start(service, {"START_SECONDS_MAX": "1"}, ready=False)
        await eventually(lambda: not running.running, seconds=EXIT_SECONDS_MAX)
        assert running._child is not None
        assert running._child.returncode == 1
        assert f"the database lacks 1 migrations, {name} first: run `{service} migrate`" in running.log()
        assert "UndefinedTable" not in running.log()


@pytest.mark.parametrize("service", ["webhook-gateway", *SERVICES])
async def test_missing_topic_is_waited_for_by_name(
    infra: Infra, http: httpx.AsyncClient, service: str
) -> None:
    async with start_services(infra) as stack:
        connection = KafkaConnection(infra.kafka_bootstrap, f"{stack.prefix}.", {})
        cards = [card for card in TOPICS if service in card.producers]
        topic = stack.topic(cards[0].name)
        admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka_bootstrap)
        await admin.start()
        await admin.delete_topics([topic.name])
        await admin.close()
        running = await stack.start(service, ready=False)
        detail = await says(http, running, "topics: TopicsMissingError")
        assert detail.endswith(f"missing {topic.name}: run `plumbline topics apply`")
        await apply_topics(connection, TOPICS)
        await eventually(lambda: stack.ready(service), seconds=60)
