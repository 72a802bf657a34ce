"""The most likely mistakes of typing over HTTP: each answer says what came and what is expected.

Commands have their own list in tests/unit/chassis/process/test_mistakes_of_typing.py.
"""

import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from contract_tools.openapi import compose

ID = "0192f0c1-2d3e-7a4b-8c5d-6e7f80910213"
BOOKING: dict[str, Any] = {
    "client": {"name": "Ana", "phone": "+13125550100"},
    "service": "drop-in",
    "starts_at": "2026-12-01T15:00:00Z",
    "ends_at": "2026-12-01T15:30:00Z",
    "pets": [{"name": "Rex", "species": "dog"}],
}
PAYMENTS = f"/api/bookings/{ID}/payments"
PAYMENT: dict[str, Any] = {"amount": {"amount": 100, "currency": "USD"}, "method": "cash", "reason": "r"}
TIME = "an RFC 3339 time such as 2026-03-08T15:00:00Z"
STATUSES = "one of pending, confirmed, in_progress, completed, cancelled"
# No word of Python, pydantic or msgspec.
FOREIGN_WORDS = re.compile(
    r"Input should|Field required|dictionary|instance of|`int`|`str`|List|Value |matching"
)

Answer = dict[str, str]
Case = tuple[str, str, Any, Answer]


def booking(**changed: object) -> dict[str, Any]:
    members = {**BOOKING, **changed}
    return {name: value for name, value in members.items() if value is not ...}


POST_BOOKING = ("POST", "/api/bookings")
# What was typed, and the beginning of the message of each field.
BOOKINGS: list[Case] = [
    (*POST_BOOKING, None, {"body": "missing; send an object with client, service, starts_at, ends_at, pets"}),
    (*POST_BOOKING, b'{"service": "drop-in",}', {"body": 'not JSON at line 1, character 23, got "}"'}),
    (*POST_BOOKING, b"{'service': 'drop-in'}", {"body": "not JSON at line 1, character 2, got \"'service"}),
    (*POST_BOOKING, b'{"service": "drop-in"', {"body": "not JSON: it ends too early (line 1, character 22)"}),
    (*POST_BOOKING, [BOOKING], {"body": "expected an object with client, service"}),
    (*POST_BOOKING, booking(client="Ana"), {"client": 'expected an object with name, phone, got "Ana"'}),
    (*POST_BOOKING, booking(pets=[]), {"pets": "expected 1 entry or more, got an empty list"}),
    (*POST_BOOKING, booking(pets={"name": "Rex"}), {"pets": "expected a list in [], got an object"}),
    (*POST_BOOKING, booking(pets=["Rex"]), {"pets.0": 'expected an object with name, species, got "Rex"'}),
    (*POST_BOOKING, booking(starts_at="1.12.2026"), {"starts_at": f'expected {TIME}, got "1.12.2026"'}),
    (*POST_BOOKING, booking(starts_at="2026-12-01"), {"starts_at": f'expected {TIME}, got "2026-12-01"'}),
    (
        *POST_BOOKING,
        booking(starts_at="2026-12-01T15:00"),
        {"starts_at": "a time needs seconds and its"},
    ),
    (*POST_BOOKING, booking(starts_at=1796140800), {"starts_at": "expected an RFC 3339 time as text"}),
    (*POST_BOOKING, booking(holiday="yes"), {"holiday": 'expected true or false, got "yes"'}),
    (*POST_BOOKING, booking(service=7), {"service": "expected text in quotes, got 7"}),
    (
        *POST_BOOKING,
        booking(service=..., ends_at=...),
        {"service": "missing; expected text", "ends_at": f"missing; expected {TIME}"},
    ),
    (
        *POST_BOOKING,
        booking(client={"name": "", "phone": "call me", "mail": "x"}),
        {
            "client.name": 'expected 1 character or more, got ""',
            "client.phone": 'expected 7 to 15 digits, such as +1 312 555 0100, got "call me"',
            "client.mail": "unknown member, did you mean email?",
        },
    ),
    (*POST_BOOKING, booking(notes="x" * 5000), {"notes": "expected at most 4,000 characters, got"}),
    (
        "POST",
        PAYMENTS,
        {**PAYMENT, "amount": {"amount": -5, "currency": "usd"}},
        {
            "amount.amount": "expected 0 or more, got -5",
            "amount.currency": 'expected a currency of three capital letters such as USD, got "usd"',
        },
    ),
    (
        "POST",
        PAYMENTS,
        {**PAYMENT, "amount": {"amount": 12.5, "currency": "USD"}},
        {"amount.amount": "expected a whole number such as 100, got 12.5"},
    ),
    ("POST", PAYMENTS, {**PAYMENT, "amount": 100}, {"amount": "expected an object with amount, currency"}),
    (
        "POST",
        PAYMENTS,
        {**PAYMENT, "method": "card"},
        {"method": "expected one of cash, transfer, cheq"},
    ),
    ("GET", "/api/bookings?status=done", None, {"status": f'expected {STATUSES}, got "done"'}),
    ("GET", "/api/bookings?limit=0", None, {"limit": 'expected a whole number from 1 to 500, got "0"'}),
    (
        "GET",
        "/api/bookings?limit=abc&status=confirmd&paid=yes",
        None,
        {
            "limit": 'expected a whole number from 1 to 500, got "abc"',
            "status": f'expected {STATUSES} (did you mean confirmed?), got "confirmd"',
            "paid": "unknown parameter, known: client",
        },
    ),
]
AUDIT: list[Case] = [
    (
        "GET",
        "/api/event-log?from=2026-12-01T10:00:00+02:00",
        None,
        {"from": 'the "+" of an offset is'},
    ),
    ("GET", "/api/event-log?format=xml", None, {"format": 'expected one of json, ndjson, got "xml"'}),
]
RECONCILER: list[Case] = [
    ("POST", "/api/reconciliation/runs", {"from": "2026-12-01"}, {"from": "unknown member, known: scope"}),
    (
        "POST",
        "/api/reconciliation/runs",
        {"scope": "yesterday"},
        {"scope": "'yesterday' is no scope: expected"},
    ),
    ("POST", "/api/sweeps", {"dry_run": "yes"}, {"dry_run": 'expected true or false, got "yes"'}),
    (
        "POST",
        f"/api/exceptions/{ID}/resolve",
        {"resolution": "done"},
        {"resolution": "expected one of fixed, accepted", "reason": "missing; expected text"},
    ),
    (
        "GET",
        "/api/exceptions?status=foo&severity=urgent",
        None,
        {
            "status": "'foo' is unknown, choose one of",
            "severity": "'urgent' is unknown, choose one",
        },
    ),
]
CASES = [
    pytest.param(service, case, id=f"{case[0]} {case[1]} {case[2]}"[:80])
    for service, cases in (("booking", BOOKINGS), ("audit", AUDIT), ("reconciler", RECONCILER))
    for case in cases
]


@pytest.fixture(scope="module")
async def clients() -> AsyncGenerator[dict[str, httpx.AsyncClient]]:
    found: dict[str, httpx.AsyncClient] = {}
    for service in ("booking", "audit", "reconciler"):
        app: Any = compose(service)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        found[service] = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
    yield found
    for client in found.values():
        await client.aclose()


async def send(client: httpx.AsyncClient, method: str, path: str, body: Any) -> httpx.Response:
    if isinstance(body, bytes):
        return await client.request(method, path, content=body, headers={"content-type": "application/json"})
    return await client.request(method, path, **({} if body is None else {"json": body}))


@pytest.mark.parametrize(("service", "case"), CASES)
async def test_answer_says_what_came_and_what_is_expected(
    clients: dict[str, httpx.AsyncClient], service: str, case: Case
) -> None:
    method, path, body, expected = case
    response = await send(clients[service], method, path, body)
    assert response.status_code == 400, response.text
    problem = response.json()
    told = {each["field"]: each["message"] for each in problem["errors"]}
    assert told.keys() == expected.keys()
    for field, beginning in expected.items():
        assert told[field].startswith(beginning), told[field]
    assert problem["detail"].startswith("{}: {}".format(*next(iter(told.items()))))
    assert (f"the first of {len(told)}" in problem["detail"]) is (len(told) > 1)
    assert not FOREIGN_WORDS.search(response.text)


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        (
            "GET",
            "/api/booking",
            404,
            "there is no route for this path (an id in it is a whole UUID); /schema lists them",
        ),
        ("GET", "/api/bookings/BK-1", 404, "there is no booking 'BK-1'"),
        (
            "DELETE",
            f"/api/bookings/{ID}",
            405,
            "DELETE is not possible here; expected one of GET, HEAD, OPTIONS, PATCH",
        ),
    ],
)
async def test_wrong_path_or_method_is_told_what_exists(
    clients: dict[str, httpx.AsyncClient], method: str, path: str, status: int, expected: str
) -> None:
    response = await clients["booking"].request(method, path)
    assert (response.status_code, response.json()["detail"]) == (status, expected)
    if status == 405:
        assert response.headers["allow"] == "GET, HEAD, OPTIONS, PATCH"
        assert "HEAD" in (await clients["booking"].request("OPTIONS", path)).headers["allow"]


async def test_form_in_place_of_json_is_told_both_media_types(clients: dict[str, httpx.AsyncClient]) -> None:
    response = await clients["booking"].post("/api/bookings", data={"service": "drop-in"})
    assert response.status_code == 415
    assert response.json()["detail"].endswith(
        "send Content-Type: application/json, got application/x-www-form-urlencoded"
    )
