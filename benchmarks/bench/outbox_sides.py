"""Who empties an outbox: Plumbline's relay, and the pollers it is compared with."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from bench.peer_process import start_peer
from bench.peers import skip_locked_poller
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.messaging import outbox
from chassis.messaging.message import pack_headers
from chassis.messaging.outbox import OutgoingEvent, shard_of
from chassis.postgres import Connection
from harness import Stack
from plumbline.processes import Process

SERVICE = "booking"

_POLLER_APPEND = "INSERT INTO poller_outbox (topic, key, payload, headers) VALUES ($1, $2, $3, $4)"


class Emptier(ABC):
    """A way to keep events in a table and to bring them to Kafka."""

    table: str
    columns: Sequence[str]
    waiting: str
    """Says whether a row is not sent yet."""

    @abstractmethod
    async def prepare(self, stack: Stack) -> None:
        """Make its table."""

    @abstractmethod
    async def start(self, stack: Stack) -> Process:
        """Its process, ready."""

    @abstractmethod
    async def append(self, connection: Any, events: Sequence[OutgoingEvent]) -> None:
        """Write events as an application does, in the caller's transaction."""

    @abstractmethod
    def row(self, record: OutgoingRecord) -> tuple[object, ...]:
        """A record as its table has it, in the order of `columns`."""

    async def fill(self, connection: Connection, records: Sequence[OutgoingRecord]) -> None:
        """Write a backlog, by one COPY."""
        rows = [self.row(record) for record in records]
        await connection.copy_records_to_table(self.table, columns=self.columns, records=rows)


class PlumblineRelay(Emptier):
    """`booking serve --only relay`, as it is deployed, with health, metrics and logs."""

    table = "outbox"
    columns = ("shard", "topic", "key", "value", "headers")
    waiting = "SELECT EXISTS (SELECT FROM outbox)"

    async def prepare(self, stack: Stack) -> None:
        """The service's migrations have made it."""

    async def start(self, stack: Stack) -> Process:
        return await stack.start(SERVICE, arguments=("--only", "relay"))

    async def append(self, connection: Any, events: Sequence[OutgoingEvent]) -> None:
        await outbox.append(connection, events)

    def row(self, record: OutgoingRecord) -> tuple[object, ...]:
        headers = pack_headers(record.headers)
        return (shard_of(record.key), record.topic, record.key, record.value, headers)


class SkipLockedPoller(Emptier):
    """One of the forms of `bench.peers.skip_locked_poller`."""

    table = "poller_outbox"
    columns = ("topic", "key", "payload", "headers")
    waiting = "SELECT EXISTS (SELECT FROM poller_outbox WHERE sent_at IS NULL)"

    def __init__(self, form: str) -> None:
        self._form = form

    async def prepare(self, stack: Stack) -> None:
        await stack.database(SERVICE).execute(skip_locked_poller.SCHEMA)

    async def start(self, stack: Stack) -> Process:
        program = skip_locked_poller.__file__
        return await start_peer(stack, "poller", program, self._form, ready=skip_locked_poller.READY)

    async def append(self, connection: Any, events: Sequence[OutgoingEvent]) -> None:
        await connection.executemany(_POLLER_APPEND, [self.row(outbox.to_record(event)) for event in events])

    def row(self, record: OutgoingRecord) -> tuple[object, ...]:
        headers = json.dumps({name: value.decode() for name, value in record.headers})
        return (record.topic, record.key.decode(), record.value, headers)


RELAY, TUTORIAL, TUNED = "relay", "poller, tutorial", "poller, tuned"

EMPTIERS: dict[str, Emptier] = {
    RELAY: PlumblineRelay(),
    TUTORIAL: SkipLockedPoller("tutorial"),
    TUNED: SkipLockedPoller("tuned"),
}
