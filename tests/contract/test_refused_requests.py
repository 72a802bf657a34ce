"""Requests that every route of every service refuses (ALL-9), without a database.

A valid request reaches the database, which is absent: 503. Any other request must be a 400 that names the
invalid part as its caller wrote it, never a 500.
"""

import json
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from contract_tools.openapi import compose
from harness.composed import SERVICES

ID = "0192f0c1-2d3e-7a4b-8c5d-6e7f80910213"
NOT_THERE = 503
WITHOUT_DATABASE = {"GET /api/services", "GET /log/keys"}
# Templates whose parameter is neither an entry's number nor an id.
PATHS = {"/log/tile/{path}": "0/000", "/log/tile/entries/{path}": "000"}
DEPENDENCIES = ("actor", "business_country", "data", "database", "replayer", "request", "self", "time_zone")
NO_TIMES = (
    "1796140800", "1796140800000", "2026", "20260101", "2026-W01-1", "2026-01-01", "2026-01-01T10:00:00",
    "now", "2026-01-01T10:00:00+25:00", "2026-02-30T10:00:00Z", "0001-01-01T00:00:00+14:00", "P1D",
)  # fmt: skip
GOOD_VALUES = (
    "7", "2026-01-01T00:00:00Z", "json", "waiting", "pending", "unpaid", "success", "open", "bug", "high",
    "pricing_drift", "planned", "refused", "2026-12-01", "engine_drift", "USD", "true", "machine", "fixed",
    "f" * 32, "csv", ID, "source",
)  # fmt: skip


@dataclass(frozen=True)
class Route:
    """One operation of one service, and a client of this service."""

    client: httpx.AsyncClient
    name: str
    operation: dict[str, Any]

    @property
    def query(self) -> list[dict[str, Any]]:
        return [each for each in self.operation.get("parameters", ()) if each["in"] == "query"]

    @property
    def good_body(self) -> Any:
        """The example of the document; None for a route without a body."""
        body = self.operation.get("requestBody")
        return None if body is None else body["content"]["application/json"]["example"]

    async def ask(
        self, query: str = "", body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        method, template = self.name.split()
        body = self.good_body if body is None else body
        known = PATHS.get(template) or ("7" if "entry_id" in template else ID)
        path = re.sub(r"\{[^}]*\}", known, template)
        return await self.client.request(
            method, f"{path}?{query}" if query else path, **self._sent(body, headers or {})
        )

    @staticmethod
    def _sent(body: object, headers: dict[str, str]) -> dict[str, Any]:
        if body is None:
            return {"headers": headers}
        # json.dumps escapes half surrogate pairs, which httpx's own encoding refuses.
        return {
            "content": json.dumps(body).encode(),
            "headers": {"content-type": "application/json", **headers},
        }

    async def refuses(self, field: str, query: str = "", body: object = None) -> str:
        response = await self.ask(query, body)
        request_and_answer = f"{self.name}?{query} {body}: {response.status_code} {response.text[:200]}"
        assert response.status_code == 400, request_and_answer
        problem = response.json()
        assert problem["errors"][0]["field"] == field, request_and_answer
        assert problem["detail"].startswith(f"{field}: "), request_and_answer
        return problem["detail"]


def routes(client: httpx.AsyncClient, document: dict[str, Any]) -> Iterator[Route]:
    for template, item in document["paths"].items():
        for method in ("get", "post", "patch", "put", "delete"):
            if method in item and "operations" not in item[method].get("tags", ()):
                yield Route(client, f"{method.upper()} {template}", item[method])


@pytest.fixture(scope="module", params=[service for service in SERVICES if service != "webhook_gateway"])
async def every_route(request: pytest.FixtureRequest) -> AsyncGenerator[list[Route]]:
    app: Any = compose(request.param)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield list(routes(client, app.openapi_schema.to_schema()))


async def test_right_request_gets_as_far_as_the_database(every_route: list[Route]) -> None:
    for route in every_route:
        reached = 200 if route.name in WITHOUT_DATABASE else NOT_THERE
        assert (await route.ask()).status_code == reached, route.name


async def test_every_route_that_writes_takes_a_body_that_is_checked(every_route: list[Route]) -> None:
    for route in every_route:
        assert ("requestBody" in route.operation) is not route.name.startswith(("GET ", "DELETE ")), (
            route.name
        )


async def test_unknown_parameter_is_refused(every_route: list[Route]) -> None:
    for route in every_route:
        for name in ("sercive", "typ", "dry_run", "actor", "database", "data"):
            detail = await route.refuses(name, f"{name}=x")
            assert all(each["name"] in detail for each in route.query), detail


async def test_header_is_named_as_its_caller_writes_it(every_route: list[Route]) -> None:
    for route in every_route:
        for header in (each for each in route.operation.get("parameters", ()) if each["in"] == "header"):
            for value in ("", "x" * 3000):
                response = await route.ask(headers={header["name"]: value})
                assert response.status_code == 400, (route.name, header["name"], value)
                assert response.json()["detail"].startswith(f"{header['name']}: "), response.text


@pytest.mark.parametrize("name", ["a%0Ab%1B%5B2J", "x" * 20_000, "%ED%A0%80", "a b", "a%00"])
async def test_odd_name_of_a_parameter_is_told_in_one_printable_line(
    every_route: list[Route], name: str
) -> None:
    for route in every_route:
        response = await route.ask(f"{name}=1")
        assert response.status_code == 400, route.name
        assert response.json()["detail"].isprintable()
        assert len(response.text) < 3000


async def test_zero_character_in_a_body_is_refused_and_its_member_named(every_route: list[Route]) -> None:
    for route in every_route:
        for place in places(route.good_body):
            for member in known(route.good_body, place):
                field = ".".join(map(str, (*place, member)))
                body = changed(route.good_body, place, member, "a\0b")
                assert "U+0000" in await route.refuses(field, body=body)
                deeper = changed(route.good_body, place, member, [{"x": "\0"}])
                assert "U+0000" in await route.refuses(f"{field}.0.x", body=deeper)


async def test_odd_text_in_a_body_is_no_fault_of_ours(every_route: list[Route]) -> None:
    for route in every_route:
        for place in places(route.good_body):
            for name in ("\0", "\ud800", "", "a\n", "x" * 20_000):
                response = await route.ask(body=changed(route.good_body, place, name, "\ud800\0"))
                assert response.status_code == 400, (route.name, name)
            for text in ("\0", "\ud83d", "\x1b[2J"):
                for member in known(route.good_body, place):
                    response = await route.ask(body=changed(route.good_body, place, member, text))
                    assert response.status_code in {400, NOT_THERE}, (route.name, member, text)


async def test_repeated_or_empty_parameter_is_refused(every_route: list[Route]) -> None:
    for route in every_route:
        for parameter in route.query:
            name = parameter["name"]
            value = "x" if name == "cursor" else await good_value(route, name)
            for query in (f"{name}={value}&{name}={value}", f"{name}=", name, f"{name}=%20%09", f"{name}=+"):
                await route.refuses(name, query)
            for query in (f"{name}=%00", f"{name}=a%00b"):
                await route.refuses(name, query)
            response = await route.ask(f"{name}=%ED%A0%80%FF")
            assert response.status_code == 400, (route.name, name)


async def test_parameter_that_is_no_time_is_refused_with_one(every_route: list[Route]) -> None:
    for route in every_route:
        for parameter in route.query:
            if "date-time" not in str(parameter["schema"]):
                continue
            name = parameter["name"]
            for text in NO_TIMES:
                await route.refuses(name, f"{name}={text.replace('+', '%2B')}")
            detail = await route.refuses(name, f"{name}=2026-01-01T10:00:00+02:00")
            assert "2026-01-01T10:00:00%2B02:00" in detail
            assert (await route.ask(f"{name}=2026-01-01T10:00:00%2B02:00")).status_code == NOT_THERE


async def good_value(route: Route, name: str) -> str:
    for value in GOOD_VALUES:
        if (await route.ask(f"{name}={value}")).status_code == NOT_THERE:
            return value
    raise AssertionError(f"{route.name}: no value for {name}")


def places(body: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each object in a body."""
    if isinstance(body, dict):
        yield path
        for name, value in body.items():
            yield from places(value, (*path, name))
    if isinstance(body, list):
        for index, value in enumerate(body):
            yield from places(value, (*path, index))


def known(body: Any, place: tuple[str | int, ...]) -> list[str]:
    """Return the members of the object at `place`."""
    for part in place:
        body = body[part]
    return list(body)


def changed(body: Any, path: tuple[str | int, ...], name: str, value: object) -> Any:
    """Return a copy with one more member in the object at `path`."""
    if not path:
        return {**body, name: value}
    copied: Any = body.copy()
    copied[path[0]] = changed(body[path[0]], path[1:], name, value)
    return copied


async def test_unknown_member_of_a_body_is_refused_and_the_right_one_named(
    every_route: list[Route],
) -> None:
    for route in every_route:
        body = route.good_body
        for place in places(body):
            for name in ("dryRun", "notThere", *DEPENDENCIES):
                field = ".".join(map(str, (*place, name)))
                detail = await route.refuses(field, body=changed(body, place, name, value=True))
                if name == "dryRun" and "DeadLetter" in route.operation["operationId"] and not place:
                    assert "did you mean dry_run?" in detail


async def test_time_of_a_body_that_is_no_time_is_refused_with_one(every_route: list[Route]) -> None:
    for route in every_route:
        body = route.good_body
        for place in places(body):
            for name in known(body, place):
                if not name.endswith(("_at", "_before")):
                    continue
                field = ".".join(map(str, (*place, name)))
                for wrong in (*NO_TIMES, 1796140800, 1796140800.5, True, {}):
                    await route.refuses(field, body=changed(body, place, name, wrong))


@pytest.mark.parametrize("nothing", [None, "", " \t"])
async def test_selection_with_an_empty_member_is_refused(
    every_route: list[Route], nothing: str | None
) -> None:
    for route in every_route:
        if route.name in {"POST /api/dead-letters/replay", "POST /api/dead-letters/discard"}:
            for name in ("key", "topic", "reason", "set_aside_before", "set_aside_since"):
                body = changed(route.good_body, ("selection",), name, nothing)
                assert "empty" in await route.refuses(f"selection.{name}", body=body)


async def test_body_of_another_kind_is_refused(every_route: list[Route]) -> None:
    for route in every_route:
        if route.good_body is not None:
            for body in ([], "text", 7, [{}]):
                response = await route.ask(body=body)
                assert response.status_code == 400, (route.name, body)
                assert "data" not in response.json()["detail"].split(": ")[0]


async def test_null_is_no_value_of_a_filter(every_route: list[Route]) -> None:
    for route in every_route:
        for parameter in route.query:
            name = parameter["name"]
            good = await good_value(route, name) if name != "cursor" else "null"
            if (await route.ask(f"{name}={good}nonsense")).status_code == NOT_THERE:
                continue  # any text is a value of it
            for text in ("null", "NULL", "Null", "%20null"):
                response = await route.ask(f"{name}={text}")
                assert response.status_code == 400, (route.name, name, text)


async def test_number_of_a_path_has_one_spelling(every_route: list[Route]) -> None:
    for route in every_route:
        template = route.name.split()[1]
        if "{entry_id}" not in template:
            continue
        for text in ("1_0", "%D9%A1", "01", "+1", "%2B1", "%201", "1%0A"):
            response = await route.client.get(template.replace("{entry_id}", text))
            assert response.status_code == 404, text


async def test_repeated_header_is_refused(every_route: list[Route]) -> None:
    for route in every_route:
        headers = [each for each in route.operation.get("parameters", ()) if each["in"] == "header"]
        for header in (each for each in headers if each["name"] != "If-None-Match"):  # a list, in any lines
            lines = [(header["name"], '"1"'), (header["name"], '"2"'), ("content-type", "application/json")]
            method, template = route.name.split()
            content = json.dumps(route.good_body)
            response = await route.client.request(
                method, re.sub(r"\{[^}]*\}", ID, template), headers=lines, content=content
            )
            assert response.status_code == 400, route.name
            assert response.json()["detail"].startswith(f"{header['name']}: given more than once")


async def test_body_that_two_readers_read_in_two_ways_is_refused(every_route: list[Route]) -> None:
    for route in every_route:
        method, template = route.name.split()
        if route.good_body is None:
            continue
        name = next(iter(route.good_body), "reason")
        good = json.dumps(route.good_body).encode()
        plain = {"content-type": "application/json"}
        twice = b'{"%b": 1, "%b": 2}' % (name.encode(), name.encode())
        for content, headers, status, start in (
            (twice, plain, 400, f"{name}: given more than once"),
            (b'{"a": [{"b": 1, "b": 1}]}', plain, 400, "b: given more than once"),
            (b'{"a": NaN}', plain, 400, "body: has a number"),
            (b'{"a": 1e999}', plain, 400, "body: has a number"),
            (b'{"a": %b}' % (b"9" * 5000), plain, 400, "body: has a number"),
            (b'{"a"', plain, 400, "body: not JSON"),
            (b'{"a": "\xe9"}', plain, 400, "body: not UTF-8 (byte 8)"),
            (b"[" * 100_000, plain, 400, "body: nested too deeply"),
            (good, {**plain, "content-encoding": "gzip"}, 415, "a body is not compressed"),
            (b'{"a": "%b"}' % (b"x" * 1024 * 1024), plain, 413, "the body is larger than 1,048,576 bytes"),
            (b"\xef\xbb\xbf" + good, plain, NOT_THERE, ""),
        ):  # fmt: skip
            response = await route.client.request(
                method, re.sub(r"\{[^}]*\}", ID, template), headers=headers, content=content
            )
            request_and_answer = (route.name, content[:40], response.text[:200])
            assert response.status_code == status, request_and_answer
            assert response.json()["detail"].startswith(start), request_and_answer


async def test_missing_body_is_named_so(every_route: list[Route]) -> None:
    for route in every_route:
        if route.operation.get("requestBody", {}).get("required"):
            response = await route.client.request(
                route.name.split()[0], f"{re.sub('{.*}', ID, route.name.split()[1])}"
            )
            detail = response.json()["detail"]
            assert re.fullmatch("body: missing; send an object with .+ as JSON", detail), route.name


async def test_words_and_numbers_are_no_truth_values(every_route: list[Route]) -> None:
    for route in every_route:
        if route.name == "POST /api/bookings" or "POST /api/dead-letters" in route.name:
            name = "holiday" if "bookings" in route.name else "dry_run"
            for value in ("true", "false", "yes", "no", 0, 1, "0", 1.0, []):
                await route.refuses(name, body=changed(route.good_body, (), name, value))
