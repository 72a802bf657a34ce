"""The webhook route on bare ASGI: what a gateway costs at the least on the same server and producer.

`produce`: the HMAC, then Kafka, then the answer; nothing is parsed, there is no key, and no metrics, limits
or refusals on record. `route`: answers, and does nothing else.
"""

import gc
import hashlib
import hmac
import os
import time
from typing import Any

from aiokafka import AIOKafkaProducer

WINDOW_SECONDS_MAX = 300


def is_signed(header: bytes, body: bytes, secret: bytes) -> bool:
    """Stripe's `t=…,v1=…`, within the window."""
    timestamp, _, signature = header.partition(b",v1=")
    at = timestamp.removeprefix(b"t=")
    expected = hmac.digest(secret, at + b"." + body, hashlib.sha256).hex().encode()
    fresh = at.isdigit() and abs(time.time() - int(at)) <= WINDOW_SECONDS_MAX  # noqa: TID251 - a peer's own clock
    return fresh and hmac.compare_digest(expected, signature)


def tune_garbage_collector() -> None:
    """As the gateway's own `chassis.process.lifecycle` does it once everything is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def start_producer(**options: Any) -> AIOKafkaProducer:
    """Connected, the topic's metadata known."""
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP"], acks="all", **options)
    await producer.start()
    await producer.partitions_for(os.environ["TOPIC"])
    return producer


class Produce:
    """An ASGI application."""

    def __init__(self) -> None:
        self._producer: AIOKafkaProducer | None = None
        self._topic = os.environ.get("TOPIC", "")
        self._secret = os.environ.get("STRIPE_WEBHOOK_SECRET", "").encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] == "/ready":
            await answer(send, 200)
        else:
            await self._deliver(scope, receive, send)

    async def _deliver(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        header = next((value for name, value in scope["headers"] if name == b"stripe-signature"), b"")
        if not is_signed(header, body, self._secret):
            await answer(send, 401)
            return
        assert self._producer is not None
        await self._producer.send_and_wait(self._topic, body)
        await answer(send, 200)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._producer = await start_producer(max_batch_size=2**20)
        tune_garbage_collector()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._producer.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def answer(send: Any, status: int) -> None:
    """With a short body."""
    body = b'{"received": true}' if status == 200 else b'{"received": false}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def route(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application without anything."""
    message = await receive()
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while message.get("more_body"):
        message = await receive()
    await answer(send, 200)


produce = Produce()
