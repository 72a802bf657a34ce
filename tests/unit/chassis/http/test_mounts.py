"""Mounted applications: the requests that they get, and answers to their errors."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from litestar import get

from chassis.http.app import build_app
from chassis.observability.metrics import Metrics
from chassis.process.health import Health


@get("/doors")
async def doors() -> str:
    return "the framework's"


async def door(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"].endswith("broken"):
        raise RuntimeError("of the mounted application")
    await send({"type": "http.response.start", "status": 202, "headers": []})
    if scope["path"].endswith("half"):
        raise RuntimeError("after it had begun to answer")
    await send({"type": "http.response.body", "body": scope["path_template"].encode(), "more_body": False})


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    app = build_app(
        title="Sample",
        handlers=[doors],
        mounts={"/door": door, "/api/door": door},
        health=Health(),
        metrics=Metrics("sample"),
        guard=None,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "answered"),
    [
        ("/door", (202, "/door")),
        ("/door/", (202, "/door")),
        ("/door/a/b", (202, "/door")),
        ("/api/door/a", (202, "/api/door")),
        ("/api///door//a", (202, "/api/door")),
        ("/doors", (200, "the framework's")),
    ],
)
async def test_a_mount_gets_its_path_and_all_below_it(
    client: httpx.AsyncClient, path: str, answered: tuple[int, str]
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == answered


@pytest.mark.parametrize("path", ["/doorstep", "/api", "/x/door"])
async def test_what_only_looks_like_a_mount_is_nobody_s(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:plumbline:problem:not-found")


async def test_error_of_a_mounted_application_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/door/broken")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["type"] == "urn:plumbline:problem:internal-error"
