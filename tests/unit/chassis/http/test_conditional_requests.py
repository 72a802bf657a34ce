"""Entity tags change exactly when representations do; If-Match and If-None-Match (RFC 9110 §13)."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Response, get, patch
from litestar.di import NamedDependency

from chassis.http.app import build_app
from chassis.http.conditional_requests import IfMatch, encode, entity_tag, parse_tags, tagged
from chassis.http.problems import Problem
from chassis.observability.metrics import Metrics
from chassis.process.health import Health

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)
TAG = entity_tag(encode({"value": 1}), 3)

state: dict[str, Any] = {"value": 1}


@get("/api/versioned")
async def versioned() -> Response[dict[str, Any]]:
    return tagged(state, 3)


@get("/api/plain")
async def plain() -> dict[str, Any]:
    return state


@get("/other")
async def other() -> dict[str, Any]:
    return state


@patch("/api/versioned")
async def change(if_match: NamedDependency[IfMatch]) -> dict[str, bool]:
    return {"allowed": if_match.allows(TAG, 3)}


@asynccontextmanager
async def client(*, required: bool = False) -> AsyncGenerator[httpx.AsyncClient]:
    app: Any = build_app(
        title="sample",
        handlers=[versioned, plain, other, change],
        health=Health(),
        metrics=Metrics("sample-service"),
        guard=None,
        require_if_match=required,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as made:
        yield made


@given(JSON, JSON, st.integers(1, 3), st.integers(1, 3))
def test_tags_differ_exactly_when_representations_do(
    first: Any, second: Any, version: int, later: int
) -> None:
    one, two = tagged(first, version), tagged(second, later)
    is_same = (one.content, version) == (two.content, later)
    assert (one.headers["ETag"] == two.headers["ETag"]) is is_same
    assert (entity_tag(encode(first)) == entity_tag(encode(second))) is (encode(first) == encode(second))


async def test_tag_of_an_answer_is_that_of_the_bytes_sent() -> None:
    async with client() as http:
        for path, version in (("/api/versioned", 3), ("/api/plain", None)):
            answer = await http.get(path)
            assert answer.headers["etag"] == entity_tag(answer.content, version)
        assert "etag" not in (await http.get("/other")).headers


@pytest.mark.parametrize("path", ["/api/versioned", "/api/plain"])
async def test_known_representation_is_not_sent_again(path: str) -> None:
    async with client() as http:
        tag = (await http.get(path)).headers["etag"]
        for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            known = await http.get(path, headers={"If-None-Match": header})
            assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
            assert "content-type" not in known.headers
        for header in ('"x"', '"3"', 'W/"x", "y"'):
            assert (await http.get(path, headers={"If-None-Match": header})).status_code == 200
        lines = [("If-None-Match", '"x"'), ("If-None-Match", tag)]
        assert (await http.get(path, headers=lines)).status_code == 304


async def test_malformed_if_none_match_is_refused() -> None:
    async with client() as http:
        answer = await http.get("/api/plain", headers={"If-None-Match": "3"})
        kind = "urn:plumbline:problem:malformed-if-none-match"
        assert (answer.status_code, answer.json()["type"]) == (400, kind)


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("*", True),
        ('"3"', True),
        (TAG, True),
        (' "2", "3" ', True),
        (f'"2", {TAG}', True),
        ('W/"3"', False),
        (f"W/{TAG}", False),
        ('"03"', False),
        ('"2"', False),
        (entity_tag(b"another representation", 3), False),
        ('"3", W/"4"', True),
        ('"a,b", "3"', True),
        ('"2,"', False),
    ],
)
async def test_if_match_takes_the_tag_or_the_version(header: str, *, allowed: bool) -> None:
    async with client(required=True) as http:
        answer = await http.patch("/api/versioned", headers={"If-Match": header})
        assert answer.json() == {"allowed": allowed}


async def test_missing_if_match_is_refused_where_the_policy_wants_it() -> None:
    async with client(required=True) as http:
        answer = await http.patch("/api/versioned")
        assert (answer.status_code, answer.json()["title"]) == (428, "Precondition required")
    async with client() as http:
        assert (await http.patch("/api/versioned")).json() == {"allowed": True}


@pytest.mark.parametrize("header", ["3", "", '"3', '"3" "4"', '"3",', "W/3", '"a b"', "'3'", '"3", *'])
def test_malformed_if_match_is_refused(header: str) -> None:
    with pytest.raises(Problem) as refused:
        IfMatch(header)
    assert (refused.value.status_code, refused.value.kind) == (400, "malformed-if-match")


@given(st.text())
def test_any_list_of_tags_is_read_or_refused(header: str) -> None:
    try:
        parse_tags("If-Match", header)
    except Problem:
        return


@pytest.mark.parametrize(
    ("header", "allows"),
    [
        (None, True),
        ("*", True),
        ('"3"', True),
        ('"3-00ff"', True),
        ('"2", "3-00ff"', True),
        ('"2"', False),
        ('"33"', False),
        ('W/"3"', False),
    ],
)
def test_if_match_on_a_version_ignores_the_digest(header: str | None, *, allows: bool) -> None:
    assert IfMatch(header).allows_version(3) is allows
