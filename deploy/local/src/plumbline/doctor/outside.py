"""Checks of what answers on the network: the broker with its topics, and the services."""

import asyncio
import os
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
    """The broker answers, and each topic is as its card says."""
    subject = f"kafka at {target.kafka.bootstrap}"
    try:
        topics = await compare_topics(target.kafka, deployment.topics(os.environ))
    except BrokerUnavailableError as error:
        return [Finding(subject, f"{error}: start it, or correct KAFKA_BOOTSTRAP")]
    return [Finding(subject), *(Finding(f"topic {found.topic}", found.problem) for found in topics)]


async def services(target: Target) -> list[Finding]:
    """Each service says that it is ready, and the gateway whether it validates."""
    async with loopback_client() as client:
        asked = await asyncio.gather(*(_service(client, name, url) for name, url in target.urls.items()))
    unnamed = [(name, variable) for name, variable in SERVICE_URLS.items() if name not in target.urls]
    return [
        *asked,
        *(
            Finding(f"service {name}", note=f"not looked at, {variable} is not set")
            for name, variable in unnamed
        ),
    ]


async def _service(client: httpx.AsyncClient, name: str, url: str) -> Finding:
    subject, address = f"service {name}", f"{url}/health/ready"
    try:
        checks = _read_checks((await client.get(address)).json())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = f"gives no account at {address} ({type(error).__name__}): start it, or correct its address"
        return Finding(subject, problem)
    except ValueError:
        return Finding(subject, f"what answers at {address} is none of our services: correct its address")
    failing = [f"{check}: {found.detail}" for check, found in checks.items() if not found.ok]
    if failing:
        return Finding(subject, f"is not ready, {'; '.join(failing)}: mend that, its log has more")
    flag = checks.get("webhook validation")
    return Finding(subject, note=f"webhook validation {flag.detail}" if flag else "")


def _read_checks(account: Any) -> dict[str, Check]:
    """As `chassis.process.health.Health` reports them; `ValueError` if it is another's account."""
    match account:
        case {"checks": {**checks}} if checks:
            return {name: _read_check(found) for name, found in checks.items()}
        case _:
            raise ValueError("no account of checks")


def _read_check(found: Any) -> Check:
    match found:
        case {"ok": bool(ok), "detail": str(detail)}:
            return Check(ok, detail)
        case _:
            raise ValueError("no check")
