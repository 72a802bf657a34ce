"""The OpenAPI documents are current and valid, and a change that breaks a client is found."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from chassis.http.problems import PROBLEM_JSON, PROBLEM_TYPE_PREFIX
from contract_tools.committed import Document as CommittedDocument
from contract_tools.committed import check, write
from contract_tools.openapi import documents, path_of
from contract_tools.openapi_changes import breaking_changes
from harness.composed import SERVICES

Document = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")


def committed(service: str) -> Document:
    return json.loads(path_of(service).read_text())


def operations(document: Document) -> list[tuple[str, Document]]:
    return [
        (f"{method.upper()} {path}", item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def test_committed_documents_are_current_and_break_nobody() -> None:
    assert check(documents()) == []


@pytest.mark.parametrize("service", SERVICES)
def test_document_is_valid_openapi(service: str) -> None:
    validate(committed(service))


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_is_a_problem_with_stable_types(service: str) -> None:
    for name, operation in operations(committed(service)):
        assert operation["summary"], name
        if "operations" in operation.get("tags", ()):
            continue
        errors = {status: r for status, r in operation["responses"].items() if status[0] in "45"}
        assert {"500", "503"} <= errors.keys(), name
        assert "Retry-After" in errors["503"]["headers"], name
        for status, response in errors.items():
            assert list(response["content"]) == [PROBLEM_JSON], (name, status)
            types = response["content"][PROBLEM_JSON]["schema"]["allOf"][1]["properties"]["type"]["enum"]
            assert types, (name, status)
            assert all(kind.startswith(PROBLEM_TYPE_PREFIX) for kind in types), (name, status)


def test_conditional_headers_are_described() -> None:
    paths = committed("booking")["paths"]
    one = paths["/api/bookings/{booking_id}"]
    assert {p["name"] for p in one["patch"]["parameters"]} >= {"If-Match"}
    assert "ETag" in one["get"]["responses"]["200"]["headers"]
    made = paths["/api/bookings"]["post"]
    assert "Idempotency-Key" in {p["name"] for p in made["parameters"]}
    assert {"ETag", "Location"} <= made["responses"]["201"]["headers"].keys()


def schema(document: Document, name: str) -> Document:
    return document["components"]["schemas"][name]


def drop(of: Document, name: str) -> None:
    del of[name]


PATCH = "/api/bookings/{booking_id}"
BREAKS: dict[str, Callable[[Document], object]] = {
    "GET /api/bookings/{booking_id}/payments: is gone": lambda d: drop(
        d["paths"], "/api/bookings/{booking_id}/payments"
    ),
    "PATCH /api/bookings/{booking_id}: is gone": lambda d: drop(d["paths"][PATCH], "patch"),
    "parameter If-Match is gone": lambda d: d["paths"][PATCH]["patch"]["parameters"].pop(
        next(i for i, p in enumerate(d["paths"][PATCH]["patch"]["parameters"]) if p["name"] == "If-Match")
    ),
    "parameter cursor is now required": lambda d: next(
        p for p in d["paths"]["/api/bookings"]["get"]["parameters"] if p["name"] == "cursor"
    ).update(required=True),
    "maximum was 500": lambda d: next(
        p for p in d["paths"]["/api/bookings"]["get"]["parameters"] if p["name"] == "limit"
    )["schema"].update(maximum=100),
    "body/holiday: is now required": lambda d: schema(d, "NewBooking")["required"].append("holiday"),
    "body/notes: is gone": lambda d: drop(schema(d, "NewBooking")["properties"], "notes"),
    "body/service: may no longer be string": lambda d: schema(d, "NewBooking")["properties"].update(
        service={"type": "integer"}
    ),
    "/total: is gone": lambda d: drop(schema(d, "BookingAnswer")["properties"], "total"),
    "/version: is no longer always there": lambda d: schema(d, "BookingAnswer")["required"].remove("version"),
    "/service: may now also be null": lambda d: schema(d, "BookingAnswer")["properties"].update(
        service={"oneOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "/created_at: format was 'date-time'": lambda d: schema(d, "BookingAnswer")["properties"].update(
        created_at={"type": "string"}
    ),
    "201 has no ETag any more": lambda d: drop(
        d["paths"]["/api/bookings"]["post"]["responses"]["201"]["headers"], "ETag"
    ),
    "does not answer 201 any more": lambda d: drop(d["paths"]["/api/bookings"]["post"]["responses"], "201"),
    "201: is no longer application/json": lambda d: drop(
        d["paths"]["/api/bookings"]["post"]["responses"]["201"]["content"], "application/json"
    ),
    "parameter status: may no longer be pending": lambda d: schema(d, "Status")["enum"].remove("pending"),
}


@pytest.mark.parametrize("finding", BREAKS)
def test_change_that_breaks_a_client_is_named(finding: str) -> None:
    before = committed("booking")
    after = copy.deepcopy(before)
    BREAKS[finding](after)
    assert any(finding in change for change in breaking_changes(before, after))


ADDITIONS: dict[str, Callable[[Document], object]] = {
    "nothing": dict,
    "path": lambda d: d["paths"].update({"/api/more": d["paths"]["/api/bookings"]}),
    "optional parameter": lambda d: d["paths"]["/api/bookings"]["get"]["parameters"].append(
        {"name": "more", "in": "query", "schema": {"type": "string"}}
    ),
    "optional field of a request": lambda d: schema(d, "NewBooking")["properties"].update(
        more={"type": "string"}
    ),
    "field of an answer": lambda d: schema(d, "BookingAnswer")["properties"].update(more={"type": "string"}),
    "request that asks for less": lambda d: schema(d, "NewBooking")["required"].remove("pets"),
    "filter's new value": lambda d: schema(d, "PaymentStatus")["enum"].append("archived"),
    "another summary": lambda d: d["paths"]["/api/bookings"]["get"].update(summary="List them"),
    "another kind of error": lambda d: d["paths"]["/api/bookings"]["post"]["responses"].update({"429": {}}),
}


@pytest.mark.parametrize("name", ADDITIONS)
def test_addition_breaks_nobody(name: str) -> None:
    before = committed("booking")
    after = copy.deepcopy(before)
    ADDITIONS[name](after)
    assert breaking_changes(before, after) == []


def document_of(service: str, folder: Path) -> CommittedDocument:
    return next(each for each in documents(folder) if each.path == path_of(service, folder))


def test_breaking_document_is_not_overwritten(tmp_path: Path) -> None:
    relied_on = committed("booking")
    relied_on["paths"]["/api/gone"] = relied_on["paths"]["/api/bookings"]
    path = path_of("booking", tmp_path)
    path.write_text(json.dumps(relied_on))
    findings = write([document_of("booking", tmp_path)])
    assert [f for f in findings if "booking.json: BREAKING: GET /api/gone: is gone" in f]
    assert json.loads(path.read_text()) == relied_on


def test_stale_or_missing_document_is_named_and_written(tmp_path: Path) -> None:
    audit = [document_of("audit", tmp_path)]
    assert check(audit) == ["audit.json: missing; run `make contracts`"]
    assert write(audit) == []
    path = path_of("audit", tmp_path)
    path.write_text(path.read_text() + " ")
    assert "stale" in check(audit)[0]
    assert write(audit) == []
    assert check(audit) == []
