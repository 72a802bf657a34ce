"""Check the servers on the network: the broker with its topics, and the services."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import httpx

from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.topics import compare_topics
from chassis.process.health import Check
from plumbline import deployment
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import SERVICE_URLS, Target
from plumbline.service_process import loopback_client


async def broker(target: Target) -> list[Finding]:
    """Check that the broker answers, and that each topic matches its card."""
    subject = f"kafka at {target.kafka.bootstrap}"
    try:
        topics = await compare_topics(target.kafka, deployment.topics(os.environ))
    except BrokerUnavailableError as error:
        return [Finding(subject, f"{_plain(error)}: start it, or correct KAFKA_BOOTSTRAP")]
    return [Finding(subject), *(Finding(f"topic {topic.topic}", topic.problem) for topic in topics)]


async def services(target: Target) -> list[Finding]:
    """Check that each service is ready. The gateway's finding notes whether validation is on."""
    async with loopback_client() as client:
        findings = await asyncio.gather(*(_service(client, name, url) for name, url in target.urls.items()))
    unset = [(name, variable) for name, variable in SERVICE_URLS.items() if name not in target.urls]
    return [
        *findings,
        *(Finding(f"service {name}", note=f"not checked, {variable} is not set") for name, variable in unset),
    ]


async def _service(client: httpx.AsyncClient, name: str, url: str) -> Finding:
    subject, address = f"service {name}", f"{url}/health/ready"
    try:
        checks = _read_checks((await client.get(address)).json())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = f"does not answer at {address}{_why(error)}: start it, or correct its address"
        return Finding(subject, problem)
    except ValueError:
        return Finding(subject, f"the server at {address} is not a Plumbline service: correct the address")
    failing = [f"{name}: {check.detail}" for name, check in checks.items() if not check.ok]
    if failing:
        return Finding(subject, f"is not ready, {'; '.join(failing)}: {_advice(failing)}")
    validation = checks.get("webhook validation")
    return Finding(subject, note=f"webhook validation {validation.detail}" if validation else "")


def _advice(failing: Sequence[str]) -> str:
    full = any("no room for more dead letters" in each for each in failing)
    return "follow deploy/runbooks/blocked-keys.md" if full else "see its log"


def _plain(error: BrokerUnavailableError) -> str:
    # Kafka's client adds the address as a tuple.
    return str(error).partition(": ")[0]


def _why(error: Exception) -> str:
    return " in time" if isinstance(error, httpx.TimeoutException) else ""


def _read_checks(body: Any) -> dict[str, Check]:
    """Return the checks of a `chassis.process.health.Health` report, or raise `ValueError`."""
    match body:
        case {"checks": {**checks}} if checks:
            return {name: _read_check(check) for name, check in checks.items()}
        case _:
            raise ValueError("not a health report")


def _read_check(check: Any) -> Check:
    match check:
        case {"ok": bool(ok), "detail": str(detail)}:
            return Check(ok, detail)
        case _:
            raise ValueError("not a check")
