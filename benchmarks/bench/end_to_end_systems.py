"""The systems of E1: from the delivery of a payment to the entry of the transition that it causes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from bench.gateway_deliveries import AMOUNT
from bench.gateway_sides import GATEWAYS, TUNED, TUTORIAL
from bench.outbox_sides import SkipLockedPoller
from bench.peer_process import start_peer
from bench.peers import audit_writers
from contracts.topics import BOOKINGS_EVENTS, WEBHOOKS_STRIPE
from harness import Stack
from integration.reconciler.reconciler_bookings import insert_bookings
from plumbline.services import SERVICES

OURS, TAUGHT, CAREFUL = "plumbline", "FastAPI stack, tutorial", "FastAPI stack, tuned"

Counts = Mapping[str, str]
"""Service → a query of one row: each of its columns says how many deliveries left what its name says."""


@dataclass(frozen=True, slots=True)
class Running:
    """A system that takes deliveries.

    Attributes:
        port: of its gateway.
        trees: its processes by what they do, each the root of a tree.
    """

    port: int
    trees: Mapping[str, Sequence[int]]


class System(ABC):
    """A way from a delivery to the entry of the transition that it causes."""

    changes: ClassVar[str]
    """Finds the entries of transitions with a higher id: id and booking."""
    counts: ClassVar[Counts]

    @abstractmethod
    async def start(self, stack: Stack, bookings: Sequence[str], stay: AsyncExitStack) -> Running:
        """Write pending bookings and start every process, until all are ready."""


def _bookings(schema: str, *, history: str) -> str:
    """Return the query about bookings; both systems have the same columns in tables of other names."""
    return f"""
        WITH history AS (
            SELECT
                array_agg(to_status ORDER BY version) AS statuses,
                array_agg(version ORDER BY version) AS versions
            FROM {schema}.{history} GROUP BY booking_id
        )
        SELECT
            (SELECT count(*) FROM {schema}.booking
                WHERE status = 'confirmed' AND payment_status = 'paid' AND captured = total
            ) AS "bookings confirmed and paid once",
            (SELECT count(*) FROM {schema}.payment) AS "payments",
            (SELECT count(DISTINCT booking_id) FROM {schema}.payment) AS "bookings with a payment",
            (SELECT count(*) FROM history WHERE statuses = '{{pending,confirmed}}' AND versions = '{{1,2}}')
                AS "whole histories"
    """


class Plumbline(System):
    """The four services, as they are deployed: one process each."""

    changes: ClassVar[str] = """
        SELECT entry_id AS id, booking_id AS booking FROM audit.event_log
        WHERE entry_id > $1 AND event_type = 'booking.status-changed' ORDER BY entry_id
    """
    counts: ClassVar[Counts] = {
        "booking": _bookings("booking", history="status_transition"),
        "audit": """
            WITH
                delivery AS (SELECT event_id FROM audit.event_log WHERE topic = 'webhooks.stripe.v1'),
                change AS (SELECT booking_id FROM audit.event_log WHERE event_type = 'booking.status-changed')
            SELECT
                (SELECT count(*) FROM delivery) AS "entries of deliveries",
                (SELECT count(DISTINCT event_id) FROM delivery) AS "events with an entry",
                (SELECT count(*) FROM change) AS "entries of transitions",
                (SELECT count(DISTINCT booking_id) FROM change) AS "bookings with an entry"
        """,
    }

    async def start(self, stack: Stack, bookings: Sequence[str], stay: AsyncExitStack) -> Running:
        del stay  # the stack stops its services
        await insert_bookings(stack, status="pending", paid=False, ids=bookings)
        started = await asyncio.gather(*(stack.start(service.name) for service in SERVICES))
        port = urlsplit(stack.url("webhook-gateway")).port
        assert port is not None, "the stack gave it one"
        return Running(port, {_ROLES.get(each.name, each.name): [each.pid] for each in started})


_ROLES = {"webhook-gateway": "gateway"}

_PENDING = f"""
WITH pending AS (
    INSERT INTO peer.booking (id, status, payment_status, version, total, captured)
    SELECT id, 'pending', 'unpaid', 1, {AMOUNT}, 0 FROM unnest($1::uuid[]) AS id
    RETURNING id
)
INSERT INTO peer.status_history (booking_id, version, from_status, to_status, changed_by)
SELECT id, 1, NULL, 'pending', 'ana' FROM pending
"""


class FastApiStack(System):
    """The peers of the gateway, booking, the relay and audit, put together: one process each."""

    changes: ClassVar[str] = """
        SELECT id, headers ->> 'ce_subject' AS booking FROM writer.event
        WHERE id > $1 AND event_type = 'booking.status-changed' ORDER BY id
    """
    counts: ClassVar[Counts] = {
        "booking": _bookings("peer", history="status_history"),
        "audit": """
            SELECT
                count(*) FILTER (WHERE source <> 'booking') AS "entries of deliveries",
                count(DISTINCT event_id) FILTER (WHERE source <> 'booking') AS "events with an entry",
                count(*) FILTER (WHERE source = 'booking') AS "entries of transitions",
                count(DISTINCT headers ->> 'ce_subject') FILTER (WHERE source = 'booking')
                    AS "bookings with an entry"
            FROM writer.event
        """,
    }

    def __init__(self, gateway: str, form: str, writer: str) -> None:
        self._gateway = gateway
        self._form = form
        self._writer = writer

    async def start(self, stack: Stack, bookings: Sequence[str], stay: AsyncExitStack) -> Running:
        # Not above: every test that knows the rows would load SQLAlchemy.
        from bench.peers import booking_consumer, booking_models

        poller = SkipLockedPoller(self._form)
        await poller.prepare(stack)
        await booking_models.create_tables(stack.database("booking").dsn())
        await stack.database("booking").execute(_PENDING, bookings)
        await stack.database("audit").execute(audit_writers.SCHEMA + audit_writers.UNIQUE)
        topics = [stack.topic(card.name).name for card in (WEBHOOKS_STRIPE, BOOKINGS_EVENTS)]
        environment = {**stack.environment(), "TOPIC": topics[0]}
        log = Path(environment["AUDIT_CHECKPOINT_DIR"]).parent / "gateway.log"
        gateway, port = GATEWAYS[self._gateway].process(self._gateway, environment, log)
        await stay.enter_async_context(gateway)
        writer = await start_peer(
            stack, "writer", audit_writers.__file__, self._writer, *topics, ready=audit_writers.READY
        )
        stay.push_async_callback(writer.stop)
        program = booking_consumer.__file__
        consumer = await start_peer(
            stack, "consumer", program, self._form, topics[0], ready=booking_consumer.READY
        )
        stay.push_async_callback(consumer.stop)
        sender = await poller.start(stack)
        stay.push_async_callback(sender.stop)
        booking = [consumer.pid, sender.pid]
        return Running(port, {"gateway": [gateway.pid], "booking": booking, "audit": [writer.pid]})


SYSTEMS: Mapping[str, System] = {
    OURS: Plumbline(),
    TAUGHT: FastApiStack(TUTORIAL, "tutorial", "rows"),
    CAREFUL: FastApiStack(TUNED, "tuned", "batches"),
}
