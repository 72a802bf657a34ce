"""Records of a provider for the rows about the EventLog, and the processes that store them."""

import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.peer_process import start_peer
from bench.peers import audit_writers
from chassis import clock
from contracts.metadata import VERIFICATION_HEADER, MessageMetadata
from harness import Stack
from plumbline.processes import Process

STRIPE = "webhooks.stripe.v1"
KEYS = 2_000
BODY_BYTES = 3_000

OURS, UNSEALED, COPY, ROWS = "audit", "audit, not sealing", "raw COPY", "commit per row"
FORMS = {COPY: "copy", ROWS: "rows"}

_SENT_AT_ONCE = 2_000

Headers = list[tuple[str, bytes]]


def make_record(number: int) -> tuple[bytes, bytes, Headers]:
    """Return key, body and headers of an event of Stripe, about 3 KB, each with its own id."""
    event_id, intent = f"evt_{clock.new_id()}", f"pi_{number:012}"
    key = f"pi_of_{number % KEYS:06}"
    body: dict[str, Any] = {
        "id": event_id,
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_764_500_000 + number,
        "livemode": False,
        "data": {"object": {"id": intent, "object": "payment_intent", "amount": 13_200, "currency": "usd"}},
    }
    body["data"]["object"]["description"] = "x" * (BODY_BYTES - len(json.dumps(body)))
    metadata = MessageMetadata(
        id=event_id,
        source="/webhooks/stripe",
        type="stripe.payment_intent.succeeded",
        time=clock.now(),
        subject=intent,
    )
    headers = [*metadata.to_headers(), (VERIFICATION_HEADER, b"verified")]
    return key.encode(), json.dumps(body).encode(), headers


@asynccontextmanager
async def open_producer(stack: Stack) -> AsyncGenerator[AIOKafkaProducer]:
    """Open a producer with acks=all that waits for nobody."""
    producer = AIOKafkaProducer(
        bootstrap_servers=stack.environment()["KAFKA_BOOTSTRAP"], acks="all", max_batch_size=2**20
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def publish(stack: Stack, numbers: Iterable[int]) -> None:
    """Publish a backlog, piece by piece: a million events do not fit into memory."""
    topic, waiting = stack.topic(STRIPE).name, []
    async with open_producer(stack) as producer:
        for number in numbers:
            key, body, headers = make_record(number)
            waiting.append(await producer.send(topic, body, key=key, headers=headers))
            if len(waiting) == _SENT_AT_ONCE:
                for sent in waiting:
                    await sent
                waiting.clear()
        for sent in waiting:
            await sent


async def start_side(stack: Stack, side: str) -> Process:
    """Start the process of a side, which begins to store the backlog."""
    if side in FORMS:
        return await _start_writer(stack, side)
    env = {"AUDIT_SIGNING_KEY_FILE": "", "AUDIT_MLDSA_KEY_FILE": ""} if side == UNSEALED else {}
    return await stack.start("audit", env, ready=False)


async def _start_writer(stack: Stack, side: str) -> Process:
    await stack.database("audit").execute(audit_writers.SCHEMA)
    if side == ROWS:
        await stack.database("audit").execute(audit_writers.UNIQUE)
    arguments = (FORMS[side], stack.topic(STRIPE).name)
    return await start_peer(stack, "writer", audit_writers.__file__, *arguments, ready=audit_writers.READY)
