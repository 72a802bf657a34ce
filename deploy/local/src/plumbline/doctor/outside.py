"""Checks of what answers on the network: the broker with its topics, and the services."""

import asyncio
import os
from typing import Any

import httpx

from chassis.kafka_admin import compare_topics
from chassis.producer import BrokerUnavailableError
from plumbline import deployment
from plumbline.doctor.finding import Finding
from plumbline.doctor.patient import SERVICE_URLS, Patient
from plumbline.service_process import loopback_client


async def broker(patient: Patient) -> list[Finding]:
    """The broker answers, and each topic is as its card says."""
    subject = f"kafka at {patient.kafka.bootstrap}"
    try:
        topics = await compare_topics(patient.kafka, deployment.topics(os.environ))
    except BrokerUnavailableError as error:
        return [Finding(subject, f"{error}: start it, or correct KAFKA_BOOTSTRAP")]
    return [Finding(subject), *(Finding(f"topic {found.topic}", found.problem) for found in topics)]


async def services(patient: Patient) -> list[Finding]:
    """Each service says that it is ready, and the gateway whether it validates."""
    async with loopback_client() as client:
        asked = await asyncio.gather(*(_service(client, name, url) for name, url in patient.urls.items()))
    unnamed = [(name, variable) for name, variable in SERVICE_URLS.items() if name not in patient.urls]
    return [
        *asked,
        *(
            Finding(f"service {name}", note=f"not looked at, {variable} is not set")
            for name, variable in unnamed
        ),
    ]


async def _service(client: httpx.AsyncClient, name: str, url: str) -> Finding:
    subject = f"service {name}"
    try:
        answer = await client.get(f"{url}/health/ready")
        checks: dict[str, dict[str, Any]] = answer.json()["checks"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return Finding(subject, f"gives no account at {url}/health/ready ({type(error).__name__}): start it")
    failing = [f"{check}: {found['detail']}" for check, found in checks.items() if not found["ok"]]
    if failing:
        return Finding(subject, f"is not ready, {'; '.join(failing)}: mend that, its log has more")
    flag = checks.get("webhook validation")
    return Finding(subject, note=f"webhook validation {flag['detail']}" if flag else "")
