"""A webhook gateway on FastAPI and aiokafka, as tutorials show it and as a careful user would tune it.

`tutorial`: the `stripe` package verifies and reads the event, the producer has its defaults but for acks=all.
`tuned`: one HMAC, a fast JSON reader, a ready answer, batches up to 1 MiB, the garbage collector out of the
way.

Both answer 200 only after the ack, and both use the booking as key.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
import stripe
from fastapi import FastAPI, Header, HTTPException, Request, Response
from gateway_asgi import is_signed, start_producer, tune_garbage_collector

TOPIC = os.environ["TOPIC"]
SECRET = os.environ["STRIPE_WEBHOOK_SECRET"]
KEY = SECRET.encode()


@asynccontextmanager
async def tutorial_lifespan(app: FastAPI) -> AsyncGenerator[None]:
    app.state.producer = await start_producer()
    yield
    await app.state.producer.stop()


@asynccontextmanager
async def tuned_lifespan(app: FastAPI) -> AsyncGenerator[None]:
    app.state.producer = await start_producer(max_batch_size=2**20)
    tune_garbage_collector()
    yield
    await app.state.producer.stop()


tutorial = FastAPI(lifespan=tutorial_lifespan)
tuned = FastAPI(lifespan=tuned_lifespan)


@tutorial.post("/webhooks/stripe")
async def receive_event(request: Request, stripe_signature: Annotated[str, Header()]) -> dict[str, bool]:
    payload = await request.body()
    try:
        event = stripe.Webhook.construct_event(payload, stripe_signature, SECRET)
    except (ValueError, stripe.SignatureVerificationError) as error:
        raise HTTPException(status_code=400, detail="invalid signature") from error
    booking = event["data"]["object"]["metadata"]["booking_id"]
    await request.app.state.producer.send_and_wait(TOPIC, payload, key=booking.encode())
    return {"received": True}


@tuned.post("/webhooks/stripe", response_model=None)
async def receive_bytes(request: Request) -> Response:
    body = await request.body()
    if not is_signed(request.headers.get("stripe-signature", "").encode("latin-1"), body, KEY):
        return Response(status_code=401)
    event: Any = msgspec.json.decode(body)
    booking = event["data"]["object"]["metadata"]["booking_id"]
    await request.app.state.producer.send_and_wait(TOPIC, body, key=booking.encode())
    return Response(b'{"received": true}', media_type="application/json")


@tutorial.get("/ready")
@tuned.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}
