"""Metrics and log lines of HTTP requests: templates and closed lists, whatever callers send (ALL-5)."""

from collections.abc import AsyncGenerator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import get
from litestar.params import FromPath, FromQuery
from litestar.types import Receive, Scope, Send
from opentelemetry.trace import SpanKind

from chassis.http.app import build_app
from chassis.http.request_log import METHODS, OTHER_METHOD, UNMATCHED
from chassis.observability import trace_context
from chassis.observability.metrics import Metrics
from chassis.process.health import Health
from unit.chassis.observability.spans_kept import kept, parent_of

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@get("/things/{name:str}")
async def thing(name: FromPath[str], q: FromQuery[str | None] = None) -> str | None:
    del q
    if name == "broken":
        raise RuntimeError(name)
    return trace_context.current()


async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("sample")


@pytest.fixture
async def client(metrics: Metrics) -> AsyncGenerator[httpx.AsyncClient]:
    app = build_app(
        title="Sample",
        handlers=[thing],
        mounts={"/mount": mounted},
        health=Health(),
        metrics=metrics,
        guard=None,
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def labels(metrics: Metrics, name: str) -> set[tuple[str, ...]]:
    return {
        tuple(value for _, value in sorted(sample.labels.items()))
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    }


async def test_request_is_counted_under_its_template(client: httpx.AsyncClient, metrics: Metrics) -> None:
    for path in ("/things/1", "/things/2", "/mount/a/b", "/things/broken", "/nowhere"):
        await client.get(path)
    assert labels(metrics, "sample_http_requests_total") == {
        ("GET", "/things/{name}", "200"),
        ("GET", "/things/{name}", "500"),
        ("GET", "/mount", "202"),
        ("GET", UNMATCHED, "404"),
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    method=st.from_regex(r"[A-Z]{1,12}", fullmatch=True),
    path=st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=30),
)
async def test_no_caller_can_name_a_label(
    client: httpx.AsyncClient, metrics: Metrics, method: str, path: str
) -> None:
    try:
        url = httpx.URL("http://sample").copy_with(raw_path=b"/" + path.encode())
    except httpx.InvalidURL:
        return
    await client.request(method, url)
    found = labels(metrics, "sample_http_requests_total")
    assert {each[0] for each in found} <= METHODS | {OTHER_METHOD}
    routes = {"/things/{name}", "/mount", UNMATCHED, "/metrics", "/health/live", "/health/ready"}
    assert {each[1] for each in found} <= routes | {
        each[1] for each in found if each[1].startswith("/schema")
    }


@pytest.mark.parametrize(("header", "continues"), [(GIVEN, True), ("00-nonsense", False), (None, False)])
async def test_trace_reaches_the_handler_continued_only_if_sound(
    client: httpx.AsyncClient, header: str | None, continues: bool
) -> None:
    headers = {} if header is None else {"traceparent": header}
    seen = (await client.get("/things/1", headers=headers)).text
    assert trace_context.checked(seen) == seen
    assert (seen == GIVEN) is continues


async def test_server_span_continues_the_caller_and_names_the_template(client: httpx.AsyncClient) -> None:
    with kept() as exporter:
        seen = (await client.get("/things/zulu?q=zulu", headers={"traceparent": GIVEN})).text
        await client.get("/things/broken")
        await client.get("/health/live")
    span, failed = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("GET /things/{name}", SpanKind.SERVER)
    assert parent_of(span) == "00f067aa0ba902b7"
    assert seen.startswith(GIVEN[:35])
    assert seen != GIVEN
    assert "zulu" not in span.to_json()
    assert (failed.attributes or {})["error.type"] == "500"
