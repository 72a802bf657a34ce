"""Witnesses as processes, and logs in memory that ask them."""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from audit.domain.log.checkpoints import Checkpoint, Verified, sign_checkpoint, verify_signatures
from audit.domain.log.keys import KeyType, SigningKey, VerifierKey, parse_verifier_key
from audit.domain.log.notes import Note, parse_signatures
from audit.domain.log.tree import consistency_ranges, hash_leaf, root_of
from audit.domain.log.witness_requests import AddCheckpoint
from harness import Stack
from harness.logs import LOGS
from harness.ports import free_port
from harness.processes import Running

SIZE_TYPE = "text/x.tlog.size"


@dataclass
class Witness:
    """A running `audit witness serve`."""

    running: Running
    keys: list[VerifierKey]

    @property
    def url(self) -> str:
        return self.running.url


@asynccontextmanager
async def witness(
    stack: Stack, directory: Path, name: str, logs: Sequence[VerifierKey]
) -> AsyncGenerator[Witness]:
    """Run a witness with new keys for some logs, on the audit database of a stack."""
    key_file, logs_file = directory / "witness.key", directory / "logs.policy"
    made = await stack.run("audit", "witness", "new-key", name, str(key_file))
    assert made.exit_code == 0, made.stderr
    logs_file.write_text("".join(f"log {key}\n" for key in logs) + "quorum none\n")
    async with run_witness(stack, key_file, logs_file, free_port()) as running:
        yield Witness(running, [parse_verifier_key(line) for line in made.stdout.splitlines()])


@asynccontextmanager
async def run_witness(stack: Stack, key_file: Path, logs_file: Path, port: int) -> AsyncGenerator[Running]:
    """Run a witness on the audit database of a stack."""
    environment = stack.environment(
        {
            "AUDIT_WITNESS_KEY_FILE": str(key_file),
            "AUDIT_WITNESS_LOGS_FILE": str(logs_file),
            "AUDIT_WITNESS_PORT": str(port),
        }
    )
    log = logs_file.with_suffix(".log")
    LOGS.watch(log)
    url = f"http://127.0.0.1:{port}"
    running = Running("audit-witness", "audit", ("witness", "serve"), environment, log, url)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@dataclass
class MemoryLog:
    """A log of as many leaves as are asked for. `fork` makes other leaves."""

    origin: str
    fork: bytes = b""

    @property
    def key(self) -> SigningKey:
        seed = hashlib.sha256(self.origin.encode()).digest()
        return SigningKey(self.origin, KeyType.ED25519, seed)

    def request(self, old_size: int, size: int) -> AddCheckpoint:
        """Return the request for a tree of `size` leaves."""
        leaves = [hash_leaf(self.fork + number.to_bytes(4, "big")) for number in range(size)]
        note = sign_checkpoint(Checkpoint(self.origin, size, root_of(leaves)), [self.key], time=1)
        ranges = consistency_ranges(old_size, size)
        return AddCheckpoint(old_size, tuple(root_of(leaves[start:end]) for start, end in ranges), note)


async def submit(http: httpx.AsyncClient, url: str, request: AddCheckpoint | bytes) -> httpx.Response:
    """Send a request to a witness, as a client without a Content-Type does."""
    body = request if isinstance(request, bytes) else request.encode()
    return await http.post(f"{url}/add-checkpoint", content=body)


def cosignatures(response: httpx.Response, note: Note, keys: Sequence[VerifierKey]) -> list[Verified]:
    """Return the verified lines of an answer."""
    assert response.status_code == 200, response.text
    return verify_signatures(Note(note.text, parse_signatures(response.text)), keys)
