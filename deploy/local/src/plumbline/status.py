"""Status of a stack's components: alive, ready, address and memory."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from rich.text import Text

from chassis.process.tables import Column, Table
from plumbline import stack_file, started_with
from plumbline.identity import Identity
from plumbline.ledger import Ledger
from plumbline.safety import protections, slips
from plumbline.service_process import answers_ok, loopback_client
from plumbline.state_directory import StateDirectory

READY = "ready"
NOT_READY = "not ready"
GONE = "gone"

_ANSWER_SECONDS_MAX = 3.0

_COLOURS = {READY: "green", NOT_READY: "yellow", GONE: "red"}


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """Status of one component; `memory_bytes` is its resident memory without child processes."""

    name: str
    state: str
    pid: int
    address: str
    log: str
    memory_bytes: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def component_statuses(directory: StateDirectory) -> list[ComponentStatus]:
    """Return the status of each component in `stack.json`; empty if no stack is running."""
    content = stack_file.read(directory.stack_file)
    if content is None:
        return []
    identities = {identity.name: identity for identity in Ledger(directory.ledger).record.processes}
    return await asyncio.gather(
        *(_component_status(name, content, identities.get(name)) for name in content["pids"])
    )


def is_ready(components: list[ComponentStatus]) -> bool:
    """Return whether a stack is running and all its components are ready."""
    return bool(components) and all(component.state == READY for component in components)


def table(components: list[ComponentStatus]) -> Table:
    """Return the statuses as a table for the terminal."""
    rows = Table(
        Column("component"),
        Column("state"),
        Column("address"),
        Column("pid", right=True, leaves=1),
        Column("memory", right=True, leaves=2),
        empty="nothing runs",
    )
    for component in components:
        state = Text(component.state, style=_COLOURS[component.state])
        memory = f"{component.memory_bytes >> 20:,} MiB"
        rows.add(component.name, state, component.address, str(component.pid), memory)
    return rows


def lines_of_the_gone(components: list[ComponentStatus]) -> list[str]:
    """Return where the log of each component is that is gone or does not answer."""
    return [
        f"{component.name} is {component.state}: see {component.log}"
        for component in components
        if component.state != READY
    ]


def protection_lines(directory: StateDirectory, environ: Mapping[str, str]) -> list[str]:
    """Return what the services check, one line each, and slips in the caller's variables.

    Args:
        directory: of the stack, whose variables count if it runs.
        environ: variables that count where no stack runs.
    """
    environment: dict[str, str] = dict(environ)
    for own in started_with.read(directory.environments).values():
        environment |= own
    return [*(each.line for each in protections(environment)), *slips(os.environ)]


async def _component_status(
    name: str, content: stack_file.Content, identity: Identity | None
) -> ComponentStatus:
    address = _address(name, content)
    process = identity.find() if identity else None
    state = GONE if process is None else READY if await _answers(name, address, content) else NOT_READY
    return ComponentStatus(
        name, state, content["pids"][name], address, content["logs"][name], _memory_bytes(process)
    )


def _address(name: str, content: stack_file.Content) -> str:
    if name == "kafka":
        return content["kafka_bootstrap"]
    if name == "postgres":
        parts = urlsplit(str(content["postgres"]["admin_dsn"]))
        return f"{parts.hostname}:{parts.port}"
    return content["urls"][name]


async def _answers(name: str, address: str, content: stack_file.Content) -> bool:
    if name == "postgres":
        return await _postgres_answers(str(content["postgres"]["admin_dsn"]))
    if address.startswith("http"):
        async with loopback_client() as client:
            return await answers_ok(client, f"{address}/health/ready")
    return await _kafka_answers(address)


async def _kafka_answers(address: str) -> bool:
    """Return whether the broker answers a request for its metadata. An open port alone says nothing."""
    client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=int(_ANSWER_SECONDS_MAX * 1000))
    try:
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            await client.bootstrap()
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()
    return True


async def _postgres_answers(admin_dsn: str) -> bool:
    """Return whether the server runs a statement."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            connection = await asyncpg.connect(admin_dsn)
            try:
                return await connection.fetchval("SELECT 1") == 1
            finally:
                connection.terminate()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return False


def _memory_bytes(process: psutil.Process | None) -> int:
    try:
        return process.memory_info().rss if process else 0
    except psutil.Error:
        return 0
