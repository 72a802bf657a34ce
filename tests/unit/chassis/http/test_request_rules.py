"""Requests refused before routing, and headers of every answer (ALL-9)."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from litestar import post
from litestar.params import JSONBody
from pydantic import BaseModel

from chassis.http.app import build_app
from chassis.http.host_and_origin import refusal_of
from chassis.http.json_bodies import is_json_if_any
from chassis.http.request_rules import RequestRules
from chassis.observability.metrics import Metrics
from chassis.process.health import Health
from chassis.process.hosts import LOOPBACK_ONLY, parse_hosts

JSON = {"content-type": "application/json", "content-length": "2"}
OURS = parse_hosts("booking.example.com, Other.Example.com")


def status(
    method: str, path: str = "/api/bookings", *, host: str = "localhost:8081", **headers: str
) -> int | None:
    fields = {"host": host, **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    refusal = refusal_of(method, path, raw, OURS)
    return refusal.status if refusal else None


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8081",
        "127.0.0.1:8081",
        "127.8.9.1",
        "[::1]:8081",
        "booking.example.com",
        "Booking.Example.com.:443",
        "other.example.com:8081",
    ],
)
def test_host_that_names_the_service_is_served(host: str) -> None:
    assert status("GET", host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8081",
        "127.0.0.1.nip.io",
        "10.0.0.7",
        "[::2]",
        "",
        "[",
        "localhost@evil.example",
        "evil-booking.example.com",
    ],
)
def test_foreign_host_is_refused(host: str) -> None:
    assert status("GET", host=host) == 421


def test_host_has_to_be_stated_once() -> None:
    for raw in ([], [(b"host", b"localhost"), (b"host", b"localhost")]):
        refusal = refusal_of("GET", "/api/bookings", raw, LOOPBACK_ONLY)
        assert refusal is not None
        assert refusal.status == 421


def test_probes_come_by_address_and_no_foreign_name_reads_metrics() -> None:
    assert status("GET", "/health/ready", host="10.0.0.7:8081") is None
    assert status("GET", "/metrics", host="[fd00::7]:8081") is None
    assert status("GET", "/metrics", host="evil.example") == 421


def test_star_answers_under_every_name() -> None:
    assert refusal_of("GET", "/", [(b"host", b"anything.example")], parse_hosts("*")) is None


@pytest.mark.parametrize(
    "text",
    ["https://booking.example.com", "booking.example.com:8081", "a/b", "a b", "*.example.com", "é.example"],
)
def test_hosts_that_are_no_names_are_refused_at_start(text: str) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        parse_hosts(text)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),  # a program
        ({"sec_fetch_site": "same-origin"}, None),
        ({"sec_fetch_site": "none"}, None),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        (
            {"sec_fetch_site": "same-origin", "origin": "https://evil.example"},
            None,
        ),  # the browser's word counts
        ({"origin": "http://localhost:8081"}, None),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
    ],
)
def test_write_of_another_site_is_refused(headers: dict[str, str], expected: int | None) -> None:
    assert status("POST", **JSON, **headers) == expected
    assert status("GET", **headers) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"content_length": "0"}, None),
        ({}, None),
        ({"content_length": "2", "content_type": "application/json; charset=utf-8"}, None),
        ({"content_length": "2", "content_type": "Application/JSON"}, None),
        ({"content_length": "2"}, 415),
        ({"content_length": "2", "content_type": "text/plain"}, 415),
        ({"content_length": "2", "content_type": "text/plain; application/json"}, 415),
        ({"content_length": "2", "content_type": "application/x-www-form-urlencoded"}, 415),
        ({"transfer_encoding": "chunked", "content_type": "multipart/form-data"}, 415),
        ({"content_length": "2", "content_type": "application/jsonx"}, 415),
    ],
)
def test_body_is_json_or_refused(headers: dict[str, str], expected: int | None) -> None:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    assert is_json_if_any(raw) == (expected is None)


class Body(BaseModel):
    count: int


@post("/bodies")
async def bodies(data: JSONBody[Body]) -> dict[str, int]:
    return {"count": data.count}


def client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


@pytest.fixture
def app() -> Any:
    return build_app(
        title="sample", handlers=[bodies], health=Health(), metrics=Metrics("sample"), guard=None
    )


async def test_refusal_is_a_problem_and_every_answer_forbids_storing_and_guessing(app: Any) -> None:
    async with client(app) as http:
        answers = [
            await http.post("/bodies", json={"count": 1}),
            await http.post("/bodies", content=b'{"count": 1}', headers={"content-type": "text/plain"}),
            await http.post("/nowhere", content=b"a=b"),
            await http.get("/schema/openapi.json", headers={"host": "evil.example"}),
        ]
    assert [answer.status_code for answer in answers] == [201, 415, 404, 421]
    assert answers[1].json()["type"] == "urn:plumbline:problem:unsupported-media-type"
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_schema_pages_load_nothing_from_elsewhere(app: Any) -> None:
    async with client(app) as http:
        for path in ("/schema", "/schema/swagger"):
            page = (await http.get(path)).text
            head = page.split("<body>")[0]
            assert "SwaggerUIBundle" in page
            assert "://" not in head
        for path in ("swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-ui.css"):
            assert f"/schema/assets/{path}" in page
            assert len((await http.get(f"/schema/assets/{path}")).content) > 10_000
        assert (await http.get("/schema/assets/__init__.py")).status_code == 404


async def test_body_that_does_not_arrive_is_408_and_a_slow_reader_is_not_cut_off(app: Any) -> None:
    def receiving(*messages: dict[str, Any]) -> Callable[[], Any]:
        left = iter(messages)

        async def receive() -> dict[str, Any]:
            return next(left, None) or await asyncio.Event().wait()  # type: ignore[return-value]

        return receive

    async def answered(body: bytes) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"content-length", b"12"),
        ]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/bodies",
            "raw_path": b"/bodies",
            "query_string": b"",
            "headers": headers,
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 1),
            "http_version": "1.1",
            "root_path": "",
            "state": {},
        }
        rules = RequestRules(app, LOOPBACK_ONLY, body_seconds_max=0.05)
        await rules(
            scope, receiving({"type": "http.request", "body": body, "more_body": len(body) < 12}), send
        )  # type: ignore[arg-type]
        return int(sent[0]["status"])

    assert await answered(b'{"count": ') == 408
    assert await answered(b'{"count": 1}') == 201
