"""A database and topics for the chassis alone, and the smallest services that stand on them."""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis import clock
from chassis.consuming import Consumer
from chassis.consuming.broker import Consumers, build_broker
from chassis.dead_letters import DeadLetters
from chassis.kafka import KafkaConnection
from chassis.kafka.producer import Producer
from chassis.kafka.topics import apply_topics
from chassis.messaging import inbox, outbox
from chassis.messaging.message import Message
from chassis.messaging.outbox import OutgoingEvent
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection, Database
from chassis.postgres.migrations import migrate
from chassis.relay import Relay
from contracts.bookings import BookingIdentityConflict
from contracts.metadata import MessageMetadata, read_metadata
from contracts.topics import BOOKINGS_EVENTS, DEAD_LETTERS
from harness import Infra, Record, TestDatabase, TestTopic
from plumbline import dsn

TOPICS = (BOOKINGS_EVENTS, DEAD_LETTERS)
TOPIC = BOOKINGS_EVENTS.name
SERVICE = "sample"
_PASSWORD = "for-tests"

_PROVISION = """
CREATE ROLE "{owner}" NOLOGIN;
CREATE ROLE "{role}" LOGIN PASSWORD '{password}';
"""

# Without a unique event id, so that what was applied twice can be seen.
_SCHEMA = """
GRANT ALL ON SCHEMA public TO "{owner}";
CREATE TABLE effect (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member text NOT NULL,
    event_id text NOT NULL,
    key bytea NOT NULL
);
GRANT SELECT, INSERT ON effect TO "{role}";
"""

_GRANTS = """
GRANT SELECT, INSERT, DELETE ON inbox TO "{role}";
GRANT SELECT, INSERT, DELETE ON outbox TO "{role}";
GRANT SELECT, INSERT, UPDATE (status, error, attempts) ON dead_letter TO "{role}";
GRANT SELECT ON dead_letter_action TO "{role}";
GRANT INSERT (dead_letter_id, action, actor, reason, error, is_reason_typed)
ON dead_letter_action TO "{role}";
GRANT SELECT, INSERT ON dead_letter_action_reason TO "{role}";
GRANT SELECT ON schema_migration TO "{role}";
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """A database of its own with the chassis's tables, and a topic prefix of its own."""

    bootstrap: str
    name: str
    admin_dsn: str

    @property
    def owner(self) -> str:
        """Owns all tables, cannot log in."""
        return f"{self.name}_owner"

    @property
    def role(self) -> str:
        """The service's login."""
        return f"{self.name}_app"

    @property
    def dsn(self) -> str:
        """Connects as the service."""
        return dsn.as_role(self.admin_dsn, self.role, _PASSWORD)

    @property
    def kafka(self) -> KafkaConnection:
        """Connects to the broker, under this ground's topic prefix."""
        return KafkaConnection(self.bootstrap, f"{self.name}.", {"security_protocol": "PLAINTEXT"})

    @property
    def sql(self) -> TestDatabase:
        """The database as superuser, or as `role=ground.role`."""
        return TestDatabase(self.admin_dsn, {self.role: _PASSWORD})

    @property
    def topic(self) -> TestTopic:
        """The topic that members consume and relays publish to."""
        return TestTopic(self.bootstrap, self.kafka.topic_prefix + TOPIC)

    def database(self, name: str = "test") -> Database:
        """A pool as a service has it."""
        return Database(self.dsn, application_name=f"{self.name}-{name}")

    async def effects(self) -> list[str]:
        """Event ids in the order in which they were applied."""
        return [row["event_id"] for row in await self.sql.fetch("SELECT event_id FROM effect ORDER BY id")]

    async def outbox_rows(self) -> int:
        """Events not yet sent."""
        return await self.sql.fetchval("SELECT count(*) FROM outbox")

    async def set_aside(self) -> list[asyncpg.Record]:
        """Return the waiting dead letters, in order."""
        return await self.sql.fetch("SELECT * FROM dead_letter ORDER BY id")

    async def committed(self) -> dict[int, int]:
        """Offsets that the members' group has committed, by partition where it has read anything."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self.kafka.topic_prefix + SERVICE)
        finally:
            await admin.close()
        return {place.partition: found.offset for place, found in offsets.items() if found.offset}

    async def rewind(self) -> None:
        """Let the group, while it has no member, begin again at the first record."""
        group = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=self.kafka.topic_prefix + SERVICE,
            enable_auto_commit=False,
        )
        await group.start()
        try:
            partitions = [
                TopicPartition(self.topic.name, number) for number in range(BOOKINGS_EVENTS.partitions)
            ]
            group.assign(partitions)
            await group.commit(dict.fromkeys(partitions, 0))
        finally:
            await group.stop()

    async def ends(self) -> dict[int, int]:
        """One past the last record, by partition that has records."""
        return {record.partition: record.offset + 1 for record in await self.topic.records()}

    def start_process(self, program: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start a program below this folder on this ground, to be killed by the test."""
        return subprocess.Popen(
            [sys.executable, Path(__file__).parent / program, *self._arguments, *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def _arguments(self) -> Sequence[str]:
        return (self.bootstrap, self.name, self.admin_dsn)


@asynccontextmanager
async def make_ground(infra: Infra) -> AsyncGenerator[Ground]:
    """Database and roles; removed at the end."""
    name = "c" + clock.new_id().replace("-", "")[-16:]
    ground = Ground(infra.kafka_bootstrap, name, infra.admin_dsn(name))
    names = {"owner": ground.owner, "role": ground.role, "password": _PASSWORD}
    server = TestDatabase(infra.admin_dsn(), {})
    await server.execute(_PROVISION.format(**names))
    await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        await ground.sql.execute(_SCHEMA.format(**names))
        await migrate(ground.admin_dsn, owner=ground.owner, packages=["chassis"])
        await ground.sql.execute(_GRANTS.format(**names))
        yield ground
    finally:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.execute(f'DROP ROLE "{ground.owner}", "{ground.role}"')


@asynccontextmanager
async def with_topics(infra: Infra, ground: Ground) -> AsyncGenerator[None]:
    """The ground's topics; removed at the end where the broker outlives the suite."""
    names = await apply_topics(ground.kafka, TOPICS)
    try:
        yield
    finally:
        if infra.outlives_session:
            admin = AIOKafkaAdminClient(bootstrap_servers=ground.bootstrap)
            await admin.start()
            await admin.delete_topics(names)
            await admin.close()


def record(event_id: str, *, key: str = "k", value: bytes = b"{}") -> Record:
    """A record with the identity that the inbox asks for."""
    headers = MessageMetadata(id=event_id, source="booking", type="booking.happened").to_headers()
    return Record(value, key.encode(), headers)


Before = Callable[[Message], Awaitable[None]]


class Member:
    """A consumer group member. Its effect of a message is a row; `before` may get in its way.

    With `through_inbox=False` it applies what it is given, so that a test sees the consumer without it.
    """

    def __init__(
        self,
        ground: Ground,
        name: str = "a",
        *,
        before: Before | None = None,
        through_inbox: bool = True,
        database: Database | None = None,
        letters: DeadLetters | None = None,
    ) -> None:
        self.name = name
        self.batches: list[int] = []
        self._before = before
        self._through_inbox = through_inbox
        self.database = database or ground.database(name)
        self.consumer = Consumer(
            SERVICE,
            database=self.database,
            apply=self.apply,
            set_aside=letters or DeadLetters(SERVICE),
            topic_prefix=ground.kafka.topic_prefix,
            metrics=Metrics(SERVICE),
        )
        broker = build_broker(ground.kafka, client_id=name)
        self.consumer.subscribe(broker, TOPIC)
        self.consumers = Consumers(broker, [self.consumer])

    async def start(self) -> None:
        """Join the group."""
        await self.database.start()
        await self.consumers.start()

    async def stop(self) -> None:
        """Leave it."""
        await self.consumers.stop()
        await self.database.stop()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Member"]:
        """Started inside the block."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def apply(self, connection: Connection, messages: Sequence[Message]) -> int:
        self.batches.append(len(messages))
        fresh = (await inbox.admit(connection, messages)).fresh if self._through_inbox else messages
        for message in fresh:
            if self._before is not None:
                await self._before(message)
            await connection.execute(
                "INSERT INTO effect (member, event_id, key) VALUES ($1, $2, $3)",
                self.name,
                message.metadata.id,
                message.key,
            )
        return len(fresh)


def event(number: int, *, key: str) -> OutgoingEvent:
    """An event for the outbox whose id is `<key>:<number>`."""
    payload = BookingIdentityConflict(
        source=SERVICE,
        event_id=str(number),
        first_body_sha256="",
        second_body_sha256="",
        recorded_at=clock.now(),
    )
    return OutgoingEvent(payload=payload, key=key, source=SERVICE, event_id=f"{key}:{number}")


async def append(database: Database, events: Sequence[OutgoingEvent]) -> None:
    """Write events to the outbox in a transaction of their own."""
    async with database.transaction() as connection:
        await outbox.append(connection, events)


def event_ids(records: Sequence[Record]) -> list[str]:
    """Ids in order of the topic."""
    return [read_metadata(found.headers).id for found in records]


class Sender:
    """A relay with its own producer and pool."""

    def __init__(self, ground: Ground, name: str = "relay") -> None:
        self.database = ground.database(name)
        self.producer = Producer(ground.kafka, client_id=name)
        self._metrics = Metrics(SERVICE)
        self.relay = Relay(self.database, self.producer, self._metrics)

    def exposed(self) -> str:
        """The relay's metrics as Prometheus reads them."""
        return self._metrics.expose().decode()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Sender"]:
        """Started inside the block."""
        for part in (self.database, self.producer, self.relay):
            await part.start()
        try:
            yield self
        finally:
            for part in (self.relay, self.producer, self.database):
                await part.stop()
