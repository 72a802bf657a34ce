"""Any server may answer at an address: the doctor prints a finding that says what to do, no traceback."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import plumbline.__main__ as command_line
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.groups import GroupState
from contracts.topics import TOPICS, webhook_topic
from harness.ports import free_port
from plumbline import databases
from plumbline.doctor import checks, clocks, gateway, groups, network
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import SERVICE_URLS, Target

NOWHERE = "postgresql://postgres:hidden@127.0.0.1:1/postgres"
READY = {"checks": {"started": {"ok": True, "detail": ""}}}


@dataclass
class ForeignServer:
    """An HTTP server that answers every request with the same body and headers."""

    url: str = ""
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        fields = {"Content-Length": str(len(self.body)), "Connection": "close", **self.headers}
        lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + self.body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def run_foreign_server() -> AsyncGenerator[ForeignServer]:
    foreign = ForeignServer()
    server = await asyncio.start_server(foreign.answer, "127.0.0.1", 0)
    foreign.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield foreign
    finally:
        server.close()


@pytest.fixture
async def foreign() -> AsyncGenerator[ForeignServer]:
    async with run_foreign_server() as server:
        yield server


def target(
    urls: dict[str, str], *, bootstrap: str = "127.0.0.1:1", admin_dsn: str = NOWHERE, own_dsn: str = NOWHERE
) -> Target:
    return Target(
        kafka=KafkaConnection(bootstrap, "", {"security_protocol": "PLAINTEXT"}),
        admin_dsn=admin_dsn,
        strings=dict.fromkeys(databases.LOGIN_ROLES, own_dsn),
        urls=urls,
    )


async def first(check: Callable[[Target], Any], checked: Target, subject: str) -> Finding:
    findings: list[Finding] = await check(checked)
    return next(finding for finding in findings if finding.subject == subject)


@pytest.mark.parametrize(
    "report",
    [
        [],
        None,
        {"status": "UP"},
        {"checks": None},
        {"checks": []},
        {"checks": {}},
        {"checks": {"a": []}},
        {"checks": {"a": {"status": "UP"}}},
        {"checks": {"a": {"ok": "yes", "detail": ""}}},
        {"checks": {"a": {"ok": False}}},
        {"checks": [{"name": "db", "status": "UP"}]},
    ],
)
async def test_foreign_health_report_is_a_finding(foreign: ForeignServer, report: object) -> None:
    foreign.body = json.dumps(report).encode()
    finding = await first(network.services, target({"booking": foreign.url}), "service booking")
    assert "is not a Plumbline service: correct the address" in finding.problem


async def test_health_report_of_a_service_is_read(foreign: ForeignServer) -> None:
    foreign.body = json.dumps(READY).encode()
    assert (await first(network.services, target({"booking": foreign.url}), "service booking")).good
    foreign.body = json.dumps({"checks": {"postgres": {"ok": False, "detail": "away"}}}).encode()
    finding = await first(network.services, target({"booking": foreign.url}), "service booking")
    assert finding.problem.startswith("is not ready, postgres: away")


@pytest.mark.parametrize("date", ["yesterday", "Sun, 29 Nov 99999999999999999999 01:00:00 GMT"])
async def test_invalid_date_is_a_finding(foreign: ForeignServer, date: str) -> None:
    foreign.headers = {"Date": date}
    finding = await first(clocks.clocks, target({"booking": foreign.url}), "clock of booking")
    assert "has an invalid Date header" in finding.problem


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
async def test_date_with_any_zone_is_compared(foreign: ForeignServer, zone: str) -> None:
    foreign.headers = {"Date": f"Sun, 29 Nov 2009 01:00:00 {zone}"}
    finding = await first(clocks.clocks, target({"booking": foreign.url}), "clock of booking")
    assert "differs from this machine's by -" in finding.problem


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"webhook_gateway_secrets_live 1\n",
        b'webhook_gateway_requests_total{source="a"} 1\n',
        b'webhook_gateway_requests_total{source="a",outcome="x"} NaN\n',
    ],
)
async def test_foreign_metrics_are_a_finding(foreign: ForeignServer, body: bytes) -> None:
    foreign.body = body
    (finding,) = await gateway.gateway(target({"webhook-gateway": foreign.url}))
    assert "is the server there the gateway?" in finding.problem


async def test_samples_without_labels_or_numbers_do_not_hide_the_others(foreign: ForeignServer) -> None:
    foreign.body = b"""
webhook_gateway_reload_ok 1
webhook_gateway_secrets_live 1
webhook_gateway_secrets_live{source="a",variable="A"} 1
webhook_gateway_secrets_end_timestamp_seconds{source="a"} +Inf
webhook_gateway_secrets_end_timestamp_seconds{source="a"} NaN
webhook_gateway_requests_total{source="a",outcome="verified"} 2
webhook_gateway_requests_total{source="a",outcome="verified"} NaN
webhook_gateway_requests_total{source="a",outcome="verified"} +Inf
webhook_gateway_requests_total{source="a"} 1
"""
    assert [finding.line for finding in await gateway.gateway(target({"webhook-gateway": foreign.url}))] == [
        "ok     secrets of a: 1 active",
        "ok     deliveries of a: 2, 0 of them refused for their signature",
        "ok     files of secrets and sources",
    ]


async def test_invalid_addresses_are_findings_without_traceback() -> None:
    wrong = "postgresql://postgres:hidden@127.0.0.1:abc/postgres"
    urls = dict.fromkeys(SERVICE_URLS, "http://127.0.0.1:abc")
    findings = await checks.run_checks(target(urls, bootstrap="host:abc", admin_dsn=wrong, own_dsn=wrong))
    bad = {finding.subject: finding.problem for finding in findings if not finding.good}
    assert {"kafka", "consumer groups", "roles", "database of booking", "published view", "clocks"} <= set(
        bad
    )
    assert {f"service {name}" for name in SERVICE_URLS} <= set(bad)
    assert bad["kafka"].startswith("could not be checked: an address has a wrong form; ")
    assert "check KAFKA_BOOTSTRAP" in bad["kafka"]
    assert "check POSTGRES_ADMIN_DSN" in bad["roles"]
    assert not [text for text in bad.values() if "\n" in text or "hidden" in text]


async def test_check_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: Target) -> list[Finding]:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(gateway, "gateway", fails)
    findings = await checks.run_checks(target({}, bootstrap=f"127.0.0.1:{free_port()}"))
    (finding_of_gateway,) = [finding for finding in findings if finding.subject == "gateway"]
    assert finding_of_gateway.problem.startswith("could not be checked: first line; check ")
    assert "service booking" in {finding.subject for finding in findings}


async def test_topics_of_configured_sources_count_for_the_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sources.toml"
    file.write_text("[sources.acme]\n", encoding="utf-8")
    monkeypatch.setenv("WEBHOOK_SOURCES_FILE", str(file))
    requested: dict[str, list[str]] = {}

    async def read_group(_: KafkaConnection, group: str, topics: list[str]) -> GroupState:
        requested[group] = topics
        return GroupState(1, {}, {})

    monkeypatch.setattr(groups, "read_group", read_group)
    assert all(finding.good for finding in await groups.groups(target({})))
    for service, topics in requested.items():
        cards = (*TOPICS, webhook_topic("acme"))
        assert topics == [card.name for card in cards if service in card.consumers]
    assert webhook_topic("acme").name in requested["audit"]


def test_text_of_a_service_does_not_control_the_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def run_checks(_: Target) -> list[Finding]:
        return [Finding("service booking", "is not ready, x: \x1b[2J\nok     all is well")]

    monkeypatch.setattr(checks, "run_checks", run_checks)

    def find(*_: object) -> Target:
        return target({})

    monkeypatch.setattr("plumbline.doctor.target.find", find)
    monkeypatch.setenv("PLUMBLINE_STATE", str(tmp_path))
    result = CliRunner().invoke(command_line.cli, ["doctor"])
    assert "WRONG  service booking: is not ready, x: \ufffd[2J ok     all is well\n1 check, 1 wrong" in (
        result.stdout
    )
