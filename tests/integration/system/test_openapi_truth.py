"""Answers to bad requests match the OpenAPI document: status, content type, kind."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from contract_tools.openapi import path_of
from harness import Stack
from harness.composed import SERVICES

METHODS = ("get", "post", "patch")
UNKNOWN_ID = "0192f0c1-2d3e-7a4b-8c5d-6e7f80910213"
BAD_TEXT = "\x01 no such thing \u2028"
BAD_BODIES = (b"", b"{", b"null", b"[]", b'{"x": 1}', b"\xff", b"[" * 20_000, b'"' + b"x" * 2_000_000 + b'"')


VALID_BODIES: dict[tuple[str, str], object] = {
    ("post", "/api/bookings"): {
        "client": {"name": "Ana", "phone": "+13125550100"},
        "service": "drop-in",
        "starts_at": "2026-12-01T15:00:00Z",
        "ends_at": "2026-12-01T15:30:00Z",
        "pets": [{"name": "Rex", "species": "dog"}],
    },
    ("patch", "/api/bookings/{booking_id}"): {"status": "confirmed"},
}


@dataclass(frozen=True)
class Bad:
    """One request of an operation, mostly an invalid one."""

    method: str
    path: str
    template: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None


def bad_requests(template: str, method: str, operation: dict[str, Any]) -> Iterator[Bad]:
    known_form = re.sub(r"\{[^}]*\}", UNKNOWN_ID, template)
    paths = {known_form, re.sub(r"\{[^}]*\}", "no%20such", template), re.sub(r"\{[^}]*\}", "7", template)}
    for path in paths:
        yield Bad(method, path, template)
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            for value in (BAD_TEXT, "", "-1", "x" * 3000):
                yield Bad(method, known_form, template, params={parameter["name"]: value})
        if parameter["in"] == "header":
            for value in ("", "x" * 3000, '"', "*"):
                headers = {parameter["name"]: value, "content-type": "application/json"}
                body = VALID_BODIES.get((method, template))
                content = None if body is None else json.dumps(body).encode()
                yield Bad(method, known_form, template, headers=headers, content=content)
    if "requestBody" in operation:
        for content in BAD_BODIES:
            json_type = {"content-type": "application/json"}
            yield Bad(method, known_form, template, headers=json_type, content=content)


def assert_documented(document: dict[str, Any], bad: Bad, response: httpx.Response) -> None:
    bad_request = f"{bad.method} {bad.path} {bad.params} {bad.headers} {(bad.content or b'')[:20]!r}"
    documented = document["paths"][bad.template][bad.method]["responses"]
    assert str(response.status_code) in documented, (
        f"{bad_request}: {response.status_code} {response.text[:300]}"
    )
    described = documented[str(response.status_code)]
    content_type = response.headers.get("content-type", "").partition(";")[0]
    assert content_type in described.get("content", {"": "no body"}), f"{bad_request}: {content_type}"
    for name, header in (described.get("headers") or {}).items():
        assert name in response.headers or not header.get("required"), f"{bad_request}: no {name}"
    if content_type.endswith("json") and not content_type.endswith("ndjson"):
        schema = {**described["content"][content_type]["schema"], "components": document["components"]}
        wrong = [error.message for error in Draft202012Validator(schema).iter_errors(response.json())]
        assert wrong == [], f"{bad_request}: {response.text[:300]}"


@pytest.mark.parametrize("service", SERVICES)
async def test_bad_requests_are_answered_as_documented(
    stack: Stack, http: httpx.AsyncClient, service: str
) -> None:
    document = json.loads(path_of(service).read_text())
    base = stack.url(service.replace("_", "-"))
    for template, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            for bad in bad_requests(template, method, item[method]):
                async with http.stream(
                    method, base + bad.path, params=bad.params, headers=bad.headers, content=bad.content
                ) as response:
                    # A stream of events has no end.
                    if not response.headers.get("content-type", "").startswith("text/event-stream"):
                        await response.aread()
                    assert_documented(document, bad, response)


async def test_served_document_is_the_committed_one(stack: Stack, http: httpx.AsyncClient) -> None:
    for service in SERVICES:
        served = await http.get(stack.url(service.replace("_", "-")) + "/schema/openapi.json")
        assert served.json() == json.loads(path_of(service).read_text())
