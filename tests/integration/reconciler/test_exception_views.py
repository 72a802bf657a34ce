"""Views and the export over HTTP: one filter, named on the server, and exactly what it selects (REC-9d)."""

import csv
import io
import json
from collections.abc import AsyncGenerator
from random import Random
from typing import Any

import httpx
import pytest

from chassis.clock import new_id
from harness import Infra, Stack, start_services
from integration.reconciler.stored_exceptions import insert, random_exception

EXCEPTIONS = 1200
FORMULA = '=HYPERLINK("http://x")\r\n＋1, \'";'  # noqa: RUF001 - a full-width form is meant


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "reconciler") as stack:
        random = Random(1)
        rows = [{**random_exception(random), "title": FORMULA} for _ in range(EXCEPTIONS)]
        await insert(stack.database("reconciler"), rows)
        yield stack


@pytest.fixture
async def api(own: Stack) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"{own.url('reconciler')}/api", trust_env=False, timeout=30
    ) as client:
        yield client


async def make_view(api: httpx.AsyncClient, members: dict[str, Any], **options: Any) -> dict[str, Any]:
    body = {"name": f"view {new_id()}", "filter": members, **options}
    response = await api.post("/exception-views", json=body)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/api/exception-views/{response.json()['id']}"
    return response.json()


async def test_view_selects_the_same_everywhere(api: httpx.AsyncClient) -> None:
    view = await make_view(api, {"severity": "high", "amount_min": 3})
    chosen = {"view": view["id"], "status": "open"}
    plain = {"severity": "high", "amount_min": "3", "status": "open"}
    listed = (await api.get("/exceptions", params={**chosen, "limit": 500})).json()
    assert listed == (await api.get("/exceptions", params={**plain, "limit": 500})).json()
    assert 0 < listed["summary"]["total"] == len(listed["exceptions"])
    groups = (await api.get("/exception-groups", params=chosen)).json()
    assert groups["summary"]["total"] == listed["summary"]["total"]
    lines = (await api.get("/exceptions/export", params={**chosen, "format": "ndjson"})).text.splitlines()
    assert [json.loads(line) for line in lines] == listed["exceptions"]
    clash = await api.get("/exceptions", params={"view": view["id"], "severity": "low"})
    assert (clash.status_code, clash.json()["errors"][0]["field"]) == (400, "severity")


async def test_default_is_one_and_deleted_views_are_gone(api: httpx.AsyncClient) -> None:
    first = await make_view(api, {}, default=True)
    second = await make_view(api, {"waiting": True}, shared=True)
    made = await api.post(f"/exception-views/{second['id']}/default")
    assert made.json() == {**second, "is_default": True}
    names: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get("/exception-views", params={"limit": 1, **cursor})).json()
        names += [item["id"] for item in page["items"] if item["is_default"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert names == [second["id"]]
    again = await api.post("/exception-views", json={"name": first["name"], "filter": {}})
    assert (again.status_code, again.json()["type"]) == (409, "urn:plumbline:problem:view-exists")
    for view in (first, second):
        assert (await api.delete(f"/exception-views/{view['id']}")).status_code == 204
        assert (await api.delete(f"/exception-views/{view['id']}")).status_code == 404
        for path in ("exceptions", "exception-groups", "exceptions/export"):
            assert (await api.get(f"/{path}", params={"view": view["id"]})).status_code == 404


async def test_view_of_another_person_is_not_there(own: Stack, api: httpx.AsyncClient) -> None:
    hidden, shared = new_id(), new_id()
    for view, is_shared in ((hidden, False), (shared, True)):
        await own.database("reconciler").execute(
            "INSERT INTO reconciler.exception_view (id, name, filter, owner, is_shared, created_at)"
            " VALUES ($1, 'mine', $2, $3, $4, now())",
            view,
            '{"type": "no_longer_a_type"}',
            f"ana-{view}",
            is_shared,
        )
    assert (await api.get("/exceptions", params={"view": hidden})).status_code == 404
    assert (await api.delete(f"/exception-views/{hidden}")).status_code == 404
    outdated = await api.get("/exceptions", params={"view": shared})
    assert (outdated.status_code, outdated.json()["type"]) == (409, "urn:plumbline:problem:view-outdated")
    assert (await api.delete(f"/exception-views/{shared}")).status_code == 204  # an operator's right


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x" * 10_000, "filter": {}}, "name"),
        ({"name": "", "filter": {}}, "name"),
        ({"name": "two\nlines", "filter": {}}, "name"),
        ({"name": "a\u2028b", "filter": {}}, "name"),
        ({"name": " a", "filter": {}}, "name"),
        ({"name": "a"}, "filter"),
        ({"name": "a", "filter": []}, "filter"),
        ({"name": "a", "filter": {"type": "x"}}, "filter.type"),
        ({"name": "a", "filter": {"typ": "x"}}, "filter.typ"),
        ({"name": "a", "filter": {"q": "x" * 10_000}}, "filter.q"),
        ({"name": "a", "filter": {}, "owner": "ana"}, "owner"),
    ],
)
async def test_bad_view_is_refused_and_named(api: httpx.AsyncClient, body: Any, field: str) -> None:
    response = await api.post("/exception-views", json=body)
    assert response.status_code == 400, response.text
    assert response.json()["errors"][0]["field"] == field
    assert len(response.text) < 2000


async def test_csv_has_every_exception_and_no_formula(own: Stack, api: httpx.AsyncClient) -> None:
    response = await api.get("/exceptions/export", params={"format": "csv"})
    assert response.headers["content-type"].startswith("text/csv")
    assert response.headers["content-disposition"].startswith('attachment; filename="exceptions-20')
    header, *rows = csv.reader(io.StringIO(response.text, newline=""), strict=True)
    summary = (await api.get("/exceptions", params={"limit": 1})).json()["summary"]
    assert summary["total"] == len(rows) == len({row[0] for row in rows}) > 1000
    cells = [dict(zip(header, row, strict=True)) for row in rows]
    assert {each["title"] for each in cells} == {f"'{FORMULA}"}
    stored = await own.database("reconciler").fetch("SELECT id, amount FROM reconciler.exception")
    amounts = {str(row["id"]): row["amount"] for row in stored}
    for each in cells:
        assert each["amount"] == ("" if each["currency"] == "" else str(int(amounts[each["id"]])))


async def test_abandoned_export_gives_its_connection_back(own: Stack, api: httpx.AsyncClient) -> None:
    for _ in range(6):  # more than there are connections
        async with api.stream("GET", "/exceptions/export", params={"format": "ndjson"}) as response:
            assert response.status_code == 200
            await anext(response.aiter_bytes())
    assert (await api.get("/exceptions/export", params={"format": "csv"})).status_code == 200
