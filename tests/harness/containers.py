"""The servers in containers, on fixed host ports so that a restart keeps the address."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from docker.models.containers import Container
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from harness.docker_engine import image_is_here
from harness.infra import Infra
from harness.ports import free_port
from plumbline import waiting
from plumbline.failure import StackError

KAFKA_IMAGE = "apache/kafka:4.2.1"
POSTGRES_IMAGE = "postgres:18"
IMAGES = (KAFKA_IMAGE, POSTGRES_IMAGE)

_READY_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 15
_LOOPBACK = "127.0.0.1"
_PORT_INSIDE = 9092

# Any KAFKA_* variable replaces the image's whole configuration, so this is the complete configuration.
_KAFKA = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_LISTENERS": f"CLIENT://:{_PORT_INSIDE},BROKER://localhost:9094,CONTROLLER://localhost:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    # A killed broker can register again only after its old session has timed out.
    "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
    "KAFKA_BROKER_SESSION_TIMEOUT_MS": "3000",
    "KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE": "16777216",
    "KAFKA_HEAP_OPTS": "-Xmx384m",
}


class ContainerServer:
    """A container with a server; `ready` returns whether the server accepts requests."""

    def __init__(self, container: DockerContainer, ready: Callable[[], Awaitable[bool]]) -> None:
        self._recipe = container
        self._ready = ready
        self._made = False

    @property
    def running(self) -> bool:
        if not self._made:
            return False
        self._container.reload()
        return self._container.status == "running"

    async def start(self) -> None:
        """Start the container. Raise `StackError` with its last log lines if it is not ready in time."""
        await asyncio.to_thread(self._container.start if self._made else self._make)
        if not await waiting.until(self._ready, seconds_max=_READY_SECONDS_MAX):
            log = self._container.logs(tail=20).decode(errors="replace")
            raise StackError(f"{self._recipe.image} does not serve after {_READY_SECONDS_MAX:.0f} s\n{log}")

    async def stop(self) -> None:
        await asyncio.to_thread(self._container.stop, timeout=_STOP_SECONDS_MAX)

    async def kill(self) -> None:
        await asyncio.to_thread(self._container.kill)
        await asyncio.to_thread(self._container.wait)

    async def remove(self) -> None:
        """Remove the container and its data."""
        await asyncio.to_thread(self._recipe.stop)

    @property
    def _container(self) -> Container:
        return self._recipe.get_wrapped_container()

    def _make(self) -> None:
        self._recipe.start()
        self._made = True


class ContainerInfra:
    """A broker and a database server, each in a container."""

    outlives_session = False

    def __init__(self) -> None:
        kafka_port, self._postgres_port = free_port(), free_port()
        self._password = secrets.token_urlsafe(16)
        self.kafka_bootstrap = f"{_LOOPBACK}:{kafka_port}"
        self.kafka = ContainerServer(_kafka(kafka_port, self.kafka_bootstrap), self._kafka_serves)
        self.postgres = ContainerServer(_postgres(self._postgres_port, self._password), self._postgres_serves)

    def admin_dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{self._password}@{_LOOPBACK}:{self._postgres_port}/{database}"

    async def _kafka_serves(self) -> bool:
        """Return whether the broker answers and leads every partition: after a restart this takes a while."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka_bootstrap)
        try:
            await admin.start()
            topics = await admin.describe_topics()
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()
        return all(partition["leader"] >= 0 for topic in topics for partition in topic["partitions"])

    async def _postgres_serves(self) -> bool:
        try:
            connection = await asyncpg.connect(self.admin_dsn(), timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True


@asynccontextmanager
async def container_infra() -> AsyncGenerator[Infra]:
    """Run both containers, and remove them with their data at the end."""
    # Ryuk removes the containers of a killed suite. Without its image they stay.
    testcontainers_config.ryuk_disabled = not image_is_here(testcontainers_config.ryuk_image)
    infra = ContainerInfra()
    try:
        await waiting.gather_or_cancel(infra.kafka.start(), infra.postgres.start())
        yield infra
    finally:
        await waiting.gather_or_cancel(infra.kafka.remove(), infra.postgres.remove())


def _kafka(port: int, address: str) -> DockerContainer:
    advertised = {"KAFKA_ADVERTISED_LISTENERS": f"CLIENT://{address},BROKER://localhost:9094"}
    return _container(KAFKA_IMAGE, _PORT_INSIDE, port, _KAFKA | advertised)


def _postgres(port: int, password: str) -> DockerContainer:
    container = _container(POSTGRES_IMAGE, 5432, port, {"POSTGRES_PASSWORD": password})
    return container.with_command(["postgres", "-c", "max_connections=200"])


def _container(image: str, inside: int, outside: int, environment: Mapping[str, str]) -> DockerContainer:
    container = DockerContainer(image).with_envs(**environment)
    # The engine accepts an address with the port; `with_bind_ports` does not.
    container.ports[f"{inside}/tcp"] = (_LOOPBACK, outside)  # type: ignore[assignment]
    return container
