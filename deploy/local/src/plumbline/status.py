"""How the parts of a stack are, as seen from outside: alive, ready, where, and how much memory."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil
from rich.table import Table

from plumbline import stack_file
from plumbline.identity import Identity
from plumbline.ledger import Ledger
from plumbline.service_process import answers_ok, loopback_client
from plumbline.state_directory import HOST, StateDirectory

READY = "ready"
NOT_READY = "not ready"
GONE = "gone"

_COLOURS = {READY: "green", NOT_READY: "yellow", GONE: "red"}


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One part; `memory_bytes` is its own resident memory, without its children's."""

    name: str
    state: str
    pid: int
    address: str
    log: str
    memory_bytes: int

    def as_json(self) -> dict[str, Any]:
        """Its fields by name."""
        return asdict(self)


async def component_statuses(directory: StateDirectory) -> list[ComponentStatus]:
    """Look at every part of the stack that `stack.json` describes; empty if none is running."""
    content = stack_file.read(directory.stack_file)
    if content is None:
        return []
    identities = {identity.name: identity for identity in Ledger(directory.ledger).record.processes}
    return await asyncio.gather(
        *(_component_status(name, content, identities.get(name)) for name in content["pids"])
    )


def is_ready(parts: list[ComponentStatus]) -> bool:
    """Whether there is a stack and all of it is ready."""
    return bool(parts) and all(part.state == READY for part in parts)


def table(parts: list[ComponentStatus]) -> Table:
    """For people."""
    rows = Table("part", "state", "address", "pid", "memory")
    for part in parts:
        colour = _COLOURS[part.state]
        memory = f"{part.memory_bytes >> 20} MiB"
        rows.add_row(part.name, f"[{colour}]{part.state}", part.address, str(part.pid), memory)
    return rows


async def _component_status(
    name: str, content: stack_file.Content, identity: Identity | None
) -> ComponentStatus:
    address = _address(name, content)
    process = identity.find() if identity else None
    state = GONE if process is None else READY if await _answers(address) else NOT_READY
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


async def _answers(address: str) -> bool:
    if address.startswith("http"):
        async with loopback_client() as client:
            return await answers_ok(client, f"{address}/health/ready")
    try:
        _, writer = await asyncio.open_connection(HOST, int(address.rpartition(":")[2]))
    except OSError:
        return False
    writer.close()
    return True


def _memory_bytes(process: psutil.Process | None) -> int:
    try:
        return process.memory_info().rss if process else 0
    except psutil.Error:
        return 0
