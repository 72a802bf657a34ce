"""Every error over HTTP is problem+json with a stable type, and none tells what is inside (ALL-6)."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from pydantic import BaseModel

from chassis.auth.identity import SYSTEM_ACTOR
from chassis.auth.settings import AuthSettings
from chassis.auth.setup import build_auth
from chassis.http.app import build_app
from chassis.http.error_responses import REQUEST_BYTES_MAX
from chassis.http.problems import Problem
from chassis.kafka.errors import BrokerUnavailableError
from chassis.observability.metrics import Metrics
from chassis.postgres import DatabaseNotReadyError
from chassis.process.health import Check, Health

FAILURES: dict[str, Exception] = {
    "broker": BrokerUnavailableError("Kafka did not acknowledge in time"),
    "not-open": DatabaseNotReadyError(),
    "connection": ConnectionRefusedError("connect call failed ('10.0.0.7', 5432)"),
    "cut": asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    "slow": TimeoutError(),
    "bug": RuntimeError("secret-4711"),
    "data": asyncpg.DataError("secret-4711"),
    "refused": Problem(409, "transition-not-allowed", "no way back", allowed_transitions=["cancelled"]),
    "busy": Problem(429, "too-many", "try again"),
    "teapot": Problem(412, "stale", "read it again", headers={"X-Version": "7"}),
}


class Body(BaseModel):
    count: int


@get("/fails/{name:str}")
async def fails(name: FromPath[str]) -> None:
    raise FAILURES[name]


@post("/bodies")
async def bodies(data: JSONBody[Body], actor: NamedDependency[str]) -> dict[str, Any]:
    return {"count": data.count, "actor": actor}


async def provide_view(view: FromQuery[UUID | None] = None) -> UUID | None:
    return view


@get("/filtered", dependencies={"chosen": Provide(provide_view)})
async def filtered(chosen: NamedDependency[UUID | None]) -> str:
    return str(chosen)


async def _not_good() -> Check:
    return Check(ok=False, detail="no broker answers")


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    metrics, health = Metrics("sample-service"), Health()
    health.add("kafka", _not_good)
    guard = build_auth(AuthSettings(), {}, health=Health(), metrics=metrics).guard
    app = build_app(
        title="sample", handlers=[fails, bodies, filtered], health=health, metrics=metrics, guard=guard
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # pyright: ignore[reportArgumentType] - ASGI
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


def problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"].split(";")[0] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:plumbline:problem:{kind}"
    assert body["status"] == status
    assert body["title"]
    assert "\n" not in body["detail"]
    return body


@pytest.mark.parametrize("name", ["broker", "not-open", "connection", "cut", "slow"])
async def test_away_database_or_broker_is_503_with_retry_after(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/fails/{name}")
    body = problem(response, 503, "temporarily-unavailable")
    assert response.headers["retry-after"] == "5"
    assert body["detail"] == "a database or broker does not answer; try again"


@pytest.mark.parametrize("name", ["bug", "data"])
async def test_bug_is_500_and_tells_nothing(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/fails/{name}")
    problem(response, 500, "internal-error")
    assert "4711" not in response.text
    assert "Error" not in response.text
    assert "retry-after" not in response.headers


async def test_problem_carries_its_members_and_headers(client: httpx.AsyncClient) -> None:
    body = problem(await client.get("/fails/refused"), 409, "transition-not-allowed")
    assert body["title"] == "Transition not allowed"
    assert body["allowed_transitions"] == ["cancelled"]
    response = await client.get("/fails/teapot")
    problem(response, 412, "stale")
    assert response.headers["x-version"] == "7"


async def test_every_429_says_when_to_try_again(client: httpx.AsyncClient) -> None:
    response = await client.get("/fails/busy")
    problem(response, 429, "too-many")
    assert response.headers["retry-after"] == "5"


async def test_unknown_path_is_404(client: httpx.AsyncClient) -> None:
    problem(await client.get("/nowhere"), 404, "not-found")


async def test_wrong_method_is_405_and_names_the_right_one(client: httpx.AsyncClient) -> None:
    response = await client.delete("/bodies")
    problem(response, 405, "method-not-allowed")
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"count": "many"}', b"\xff", b"[" * 50_000])
async def test_body_that_does_not_fit_is_400(client: httpx.AsyncClient, content: bytes) -> None:
    response = await client.post("/bodies", content=content, headers={"content-type": "application/json"})
    problem(response, 400, "invalid-request")


async def test_wrong_field_is_named(client: httpx.AsyncClient) -> None:
    body = problem(await client.post("/bodies", json={"count": "many"}), 400, "invalid-request")
    assert "count" in str(body["errors"])


async def test_parameter_that_a_filter_reads_is_explained_too(client: httpx.AsyncClient) -> None:
    body = problem(await client.get("/filtered", params={"view": "zzz"}), 400, "invalid-request")
    assert body["detail"].startswith("view: expected an id such as 0192f0c1-")
    assert body["detail"].endswith('got "zzz"')


async def test_too_large_body_is_413(client: httpx.AsyncClient) -> None:
    content = b'{"count": 1, "more": "' + b"x" * REQUEST_BYTES_MAX + b'"}'
    response = await client.post("/bodies", content=content, headers={"content-type": "application/json"})
    problem(response, 413, "body-too-large")


async def test_good_request_is_answered_with_the_actor(client: httpx.AsyncClient) -> None:
    response = await client.post("/bodies", json={"count": 3})
    assert (response.status_code, response.json()) == (201, {"count": 3, "actor": SYSTEM_ACTOR})


async def test_liveness_does_not_depend_on_anything(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_readiness_names_what_is_missing(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not_ready",
        "checks": {"kafka": {"ok": False, "detail": "no broker answers"}},
    }


async def test_metrics_are_served_as_prometheus_text(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"process_cpu_seconds_total" in response.content


async def test_openapi_document_describes_routes_and_operations(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/schema/openapi.json")).json()["paths"]
    assert {"/bodies", "/health/live", "/health/ready", "/metrics"} <= paths.keys()
