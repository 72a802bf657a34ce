"""A database and topics for tests of the chassis, with a minimal consumer and a minimal relay."""

import os
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
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.producer import Producer
from chassis.kafka.topics import apply_topics
from chassis.messaging import inbox, outbox
from chassis.messaging.message import Message
from chassis.messaging.outbox import OutgoingEvent
from chassis.observability.metrics import Metrics
from chassis.postgres import Connection, Database
from chassis.postgres.migrations import migrate
from chassis.relay.component import Relay
from contracts.bookings import BookingIdentityConflict
from contracts.metadata import MessageMetadata, read_metadata
from contracts.topics import BOOKINGS_EVENTS, DEAD_LETTERS
from harness import Infra, Record, TestDatabase, TestTopic
from harness.forking import SERVER, Forked
from harness.sessions import sharing
from plumbline import dsn

TOPICS = (BOOKINGS_EVENTS, DEAD_LETTERS)
TOPIC = BOOKINGS_EVENTS.name
SERVICE = "sample"
_PASSWORD = "for-tests"
_TEMPLATE = "template_ground"
_with_template: set[str] = set()

_PROVISION = """
CREATE ROLE "{owner}" NOLOGIN;
CREATE ROLE "{role}" LOGIN PASSWORD '{password}';
"""

# The event id is not unique, so that an event applied twice has two rows.
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
GRANT SELECT, INSERT, DELETE ON inbox, idempotent_request TO "{role}";
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
    """A new database with the chassis's tables, and a new topic prefix."""

    bootstrap: str
    name: str
    admin_dsn: str

    @property
    def owner(self) -> str:
        """Return the role that owns all tables and cannot log in."""
        return f"{self.name}_owner"

    @property
    def role(self) -> str:
        """Return the service's login role."""
        return f"{self.name}_app"

    @property
    def dsn(self) -> str:
        """Return the service's connection string."""
        return dsn.as_role(self.admin_dsn, self.role, _PASSWORD)

    @property
    def kafka(self) -> KafkaConnection:
        """Return the connection to the broker, with this ground's topic prefix."""
        return KafkaConnection(self.bootstrap, f"{self.name}.", {"security_protocol": "PLAINTEXT"})

    @property
    def sql(self) -> TestDatabase:
        """Return access to the database as superuser, or as `role=ground.role`."""
        return TestDatabase(self.admin_dsn, {self.role: _PASSWORD})

    @property
    def topic(self) -> TestTopic:
        """Return the topic that members consume and relays publish to."""
        return TestTopic(self.bootstrap, self.kafka.topic_prefix + TOPIC)

    def database(self, name: str = "test") -> Database:
        """Return a connection pool of the service's role."""
        return Database(self.dsn, application_name=f"{self.name}-{name}")

    async def effects(self) -> list[str]:
        """Return the event ids in the order in which they were applied."""
        return [row["event_id"] for row in await self.sql.fetch("SELECT event_id FROM effect ORDER BY id")]

    async def outbox_rows(self) -> int:
        """Return the number of unsent events."""
        return await self.sql.fetchval("SELECT count(*) FROM outbox")

    async def set_aside(self) -> list[asyncpg.Record]:
        """Return the waiting dead letters, in order."""
        return await self.sql.fetch("SELECT * FROM dead_letter ORDER BY id")

    async def committed(self) -> dict[int, int]:
        """Return the committed offsets of the members' group, by partition that it has read from."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self.kafka.topic_prefix + SERVICE)
        finally:
            await admin.close()
        return {partition.partition: meta.offset for partition, meta in offsets.items() if meta.offset}

    async def rewind(self) -> None:
        """Set the group's offsets to the first record. The group must have no members."""
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
        """Return the offset after the last record, by partition that has records."""
        return {record.partition: record.offset + 1 for record in await self.topic.records()}

    def start_process(self, program: str, *arguments: str) -> Forked:
        """Start a program of this folder with this ground's addresses; the test kills it.

        The program is forked from a process that has imported a service: its imports would take two seconds.
        Its output is that of the test.
        """
        code = f"import sys\nsys.path[:] = {sys.path!r}\n{(Path(__file__).parent / program).read_text()}"
        with Path(os.devnull).open("rb") as nothing:
            streams = [nothing.fileno(), sys.__stderr__.fileno(), sys.__stderr__.fileno()]
            place = (self.bootstrap, self.name, self.admin_dsn)
            environment = {"PATH": os.environ["PATH"]}
            return SERVER.start("booking", [*place, *arguments], environment, streams, code=code)


@asynccontextmanager
async def make_ground(infra: Infra) -> AsyncGenerator[Ground]:
    """Create database and roles, and remove them at the end."""
    name = "c" + clock.new_id().replace("-", "")[-16:]
    ground = Ground(infra.kafka_bootstrap, name, infra.admin_dsn(name))
    names = {"owner": ground.owner, "role": ground.role, "password": _PASSWORD}
    server = TestDatabase(infra.admin_dsn(), {})
    await server.execute(_PROVISION.format(**names))
    template = await _template(infra, server)
    await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        async with sharing(ground.admin_dsn):
            await ground.sql.execute(_SCHEMA.format(**names))
            if template == _TEMPLATE:
                await ground.sql.execute(f'REASSIGN OWNED BY "{_TEMPLATE}" TO "{ground.owner}"')
            else:
                await migrate(ground.admin_dsn, owner=ground.owner, packages=["chassis"])
            await ground.sql.execute(_GRANTS.format(**names))
            yield ground
    finally:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.execute(f'DROP ROLE "{ground.owner}", "{ground.role}"')


async def _template(infra: Infra, server: TestDatabase) -> str:
    """Return the database to copy: the chassis's tables migrated once a server, or PostgreSQL's empty one."""
    if infra.outlives_session:  # a template would be left behind on it
        return "template0"
    if infra.admin_dsn() not in _with_template:
        await server.execute(f'CREATE ROLE "{_TEMPLATE}" NOLOGIN')
        await server.execute(f'CREATE DATABASE "{_TEMPLATE}" TEMPLATE template0')
        dsn_of_template = infra.admin_dsn(_TEMPLATE)
        await TestDatabase(dsn_of_template, {}).execute(f'GRANT ALL ON SCHEMA public TO "{_TEMPLATE}"')
        await migrate(dsn_of_template, owner=_TEMPLATE, packages=["chassis"])
        await TestDatabase(dsn_of_template, {}).execute(f'REVOKE ALL ON SCHEMA public FROM "{_TEMPLATE}"')
        _with_template.add(infra.admin_dsn())
    return _TEMPLATE


@asynccontextmanager
async def with_topics(ground: Ground) -> AsyncGenerator[None]:
    """Create the ground's topics, and delete them at the end: each partition makes restarts slower."""
    names = await apply_topics(ground.kafka, TOPICS)
    try:
        yield
    finally:
        admin = AIOKafkaAdminClient(bootstrap_servers=ground.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics(names)
        finally:
            await admin.close()


def record(event_id: str, *, key: str = "k", value: bytes = b"{}") -> Record:
    """Return a record with the metadata that the inbox requires."""
    headers = MessageMetadata(id=event_id, source="booking", type="booking.happened").to_headers()
    return Record(value, key.encode(), headers)


Before = Callable[[Message], Awaitable[None]]


class Member:
    """A consumer group member that inserts a row for each message. `before` runs first and may raise.

    With `through_inbox=False` the member applies all messages, also duplicates.
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
        await self.database.start()
        await self.consumers.start()

    async def stop(self) -> None:
        await self.consumers.stop()
        await self.database.stop()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Member"]:
        """Start, and stop at the end of the block."""
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
    """Return an event for the outbox with the id `<key>:<number>`."""
    payload = BookingIdentityConflict(
        source=SERVICE,
        event_id=str(number),
        first_body_sha256="",
        second_body_sha256="",
        recorded_at=clock.now(),
    )
    return OutgoingEvent(payload=payload, key=key, source=SERVICE, event_id=f"{key}:{number}")


async def append(database: Database, events: Sequence[OutgoingEvent]) -> None:
    """Write events to the outbox in their own transaction."""
    async with database.transaction() as connection:
        await outbox.append(connection, events)


def event_ids(records: Sequence[Record]) -> list[str]:
    """Return the event ids of records, in order."""
    return [read_metadata(record.headers).id for record in records]


class Sender:
    """A relay with its own producer and connection pool."""

    def __init__(self, ground: Ground, name: str = "relay") -> None:
        self.database = ground.database(name)
        self.producer = Producer(ground.kafka, client_id=name)
        self._metrics = Metrics(SERVICE)
        self.relay = Relay(self.database, self.producer, self._metrics)

    def exposed(self) -> str:
        """Return the relay's metrics in Prometheus' text format."""
        return self._metrics.expose().decode()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Sender"]:
        """Start, and stop at the end of the block."""
        for component in (self.database, self.producer, self.relay):
            await component.start()
        try:
            yield self
        finally:
            for component in (self.relay, self.producer, self.database):
                await component.stop()
