"""Witnesses and logs that others wrote: our client asks omniwitness, and Tessera asks our witness (AU-8)."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from audit.adapters.witness_client import WitnessClient
from audit.domain.log.checkpoints import open_checkpoint, verify_signatures
from audit.domain.log.keys import KeyType, SigningKey
from audit.domain.log.witness_answers import Cosigned, HasSeen, NotCosigned, Outcome
from audit.domain.log.witness_requests import AddCheckpoint
from harness import Infra, Stack, eventually, foreign, start_services
from harness.ports import free_port
from integration.audit.witness_processes import MemoryLog, witness

ORIGIN = "plumbline.local/audit"
OMNIWITNESS = "github.com/transparency-dev/witness/cmd/omniwitness"
ONESHOT = "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot"
# omniwitness makes an Ed25519 cosigner of a key of type 1, and one of type 4 of its public half.
KEY = SigningKey("omni.example", KeyType.ED25519, b"o" * 32)
PUBLIC = SigningKey(KEY.name, KeyType.ED25519_COSIGNATURE, KEY.seed).verifier
_SECONDS_MAX = 60.0


@asynccontextmanager
async def _running(program: Path, folder: Path, *, log: MemoryLog, port: int) -> AsyncIterator[str]:
    (folder / "key").write_text(KEY.encode())
    (folder / "logs.yaml").write_text(f"Logs:\n  - Origin: {log.origin}\n    PublicKey: {log.key.verifier}\n")
    options = [
        f"--listen=127.0.0.1:{port}",
        "--metrics_listen=",
        f"--db_file={folder / 'witness.db'}",
        f"--private_key_path={folder / 'key'}",
        f"--additional_logs={folder / 'logs.yaml'}",
    ]
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        program, *options, cwd=folder, stdout=silent, stderr=silent
    )
    url = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(url)).status_code > 0
            except httpx.TransportError:
                return False

    try:
        await eventually(answers, seconds=30)
        yield url
    finally:
        process.kill()
        await process.wait()


async def test_omniwitness_cosigns_refuses_a_fork_and_names_its_size(tmp_path: Path) -> None:
    program = foreign.build("omniwitness", OMNIWITNESS, module="omniwitness")
    log, fork = MemoryLog(ORIGIN), MemoryLog(ORIGIN, fork=b"fork")
    client, port = WitnessClient(), free_port()

    async def ask(url: str, request: AddCheckpoint) -> Cosigned | HasSeen | NotCosigned:
        return await client.add_checkpoint(url, request, [PUBLIC])

    try:
        async with _running(program, tmp_path, log=log, port=port) as url:
            for old_size, size in ((0, 3), (3, 3), (3, 300)):
                answer = await ask(url, log.request(old_size, size))
                assert isinstance(answer, Cosigned), answer
                assert [signed.key for signed in answer.signatures] == [PUBLIC]
            assert await ask(url, log.request(3, 301)) == HasSeen(300)
            answer = await ask(url, fork.request(300, 301))
            assert isinstance(answer, NotCosigned)
            assert answer.outcome is Outcome.INCONSISTENT
            # This version answers 500 where the specification has 403 and 404.
            answer = await ask(url, MemoryLog("stranger.example").request(0, 1))
            assert isinstance(answer, NotCosigned)
            assert answer.outcome in (Outcome.FAILED, Outcome.UNKNOWN_LOG)
        answer = await ask(url, log.request(300, 301))
        assert isinstance(answer, NotCosigned)
        assert answer.outcome is Outcome.UNREACHABLE
        # It comes back with what it had stored.
        async with _running(program, tmp_path, log=log, port=port) as url:
            assert await ask(url, log.request(0, 301)) == HasSeen(300)
            assert isinstance(await ask(url, log.request(300, 301)), Cosigned)
    finally:
        await client.close()


@pytest.fixture(scope="module")
async def databases(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as stack:
        yield stack


async def test_log_of_tessera_is_cosigned_as_it_grows(databases: Stack, tmp_path: Path) -> None:
    program = foreign.build("posix-oneshot", ONESHOT)
    key = SigningKey("tessera.example/log", KeyType.ED25519, b"t" * 32)
    (tmp_path / "key").write_text(key.encode())
    async with witness(databases, tmp_path, "witness.example/w1", [key.verifier]) as ours:
        # Tessera asks for Ed25519 cosignatures only, and publishes no checkpoint without the quorum.
        (tmp_path / "policy").write_text(f"witness w {ours.keys[0]} {ours.url}\nquorum w\n")
        for batch in (1, 2, 70):
            checkpoint = await _add(program, tmp_path, batch)
            opened, note = open_checkpoint(checkpoint, [key.verifier], origin=key.name)
            assert [signed.key for signed in verify_signatures(note, ours.keys[:1])] == ours.keys[:1]
        assert opened.size == 73


async def _add(program: Path, folder: Path, entries: int) -> bytes:
    batch = folder / f"entries-{entries}"
    batch.mkdir()
    for number in range(entries):
        (batch / str(number)).write_text(f"{entries}: {number}")
    options: Sequence[str] = [
        f"--storage_dir={folder / 'log'}",
        f"--entries={batch}/*",
        f"--private_key={folder / 'key'}",
        f"--witness_policy_file={folder / 'policy'}",
    ]
    done = await asyncio.to_thread(
        subprocess.run, [program, *options], capture_output=True, text=True, check=False, timeout=_SECONDS_MAX
    )
    assert done.returncode == 0, done.stderr
    return (folder / "log/checkpoint").read_bytes()
