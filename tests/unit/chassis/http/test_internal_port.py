"""Answers of the public and of the internal port."""

import socket
from typing import Any, cast

import httpx
import pytest
from litestar import get

from chassis.http.app import build_app
from chassis.http.internal_port import listen
from chassis.observability.metrics import Metrics
from chassis.process.health import Check, Health

INTERNAL = 9999


async def call(method: str, path: str, port: int, *, ok: bool = True) -> httpx.Response:
    @get("/things")
    async def things() -> dict[str, str]:
        return {}

    async def check() -> Check:
        return Check(ok=ok, detail="broker kafka-7.internal is away")

    health = Health()
    health.add("broker", check)
    app = build_app(
        title="t", handlers=[things], health=health, metrics=Metrics("t"), guard=None, internal_port=INTERNAL
    )
    transport = httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
        return await client.request(method, path)


@pytest.mark.parametrize("path", ["/metrics", "/schema", "/schema/openapi.json", "/things", "/", "/metrics/"])
async def test_public_port_has_nothing_but_health(path: str) -> None:
    answer = await call("GET", path, 8080)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:plumbline:problem:not-found"


@pytest.mark.parametrize(("ok", "status", "readiness"), [(True, 200, "ready"), (False, 503, "not_ready")])
async def test_public_port_tells_whether_ready_and_no_details(ok: bool, status: int, readiness: str) -> None:
    answer = await call("GET", "/health/ready", 8080, ok=ok)
    assert (answer.status_code, answer.json()) == (status, {"status": readiness})
    assert (await call("GET", "/health/live", 8080, ok=ok)).status_code == 200
    assert (await call("POST", "/health/ready", 8080, ok=ok)).status_code in {403, 404, 405}


@pytest.mark.parametrize("path", ["/metrics", "/schema/openapi.json", "/things", "/health/live"])
async def test_internal_port_answers_everything(path: str) -> None:
    assert (await call("GET", path, INTERNAL)).status_code == 200


async def test_internal_port_tells_the_details_of_readiness() -> None:
    answer = await call("GET", "/health/ready", INTERNAL, ok=False)
    assert answer.json()["checks"]["broker"]["detail"] == "broker kafka-7.internal is away"


def test_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1])
