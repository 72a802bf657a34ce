"""`audit witness serve` answers as C2SP tlog-witness says, and never goes back (AU-8)."""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from audit.domain.log.checkpoints import open_checkpoint, verify_signatures
from audit.domain.log.keys import KeyType, SigningKey
from audit.domain.log.policies import parse_policy
from audit.domain.log.witness_requests import WitnessRefusalError
from audit.handlers.witnessing import WitnessIdentity, add_checkpoint
from chassis.clock import new_id
from chassis.postgres import Connection, Database
from harness import Infra, Stack, start_services
from integration.audit.witness_processes import SIZE_TYPE, MemoryLog, Witness, cosignatures, submit, witness

# Known to the witness; each test has a log of its own.
ORIGINS = [f"log.example/{new_id()}" for _ in range(5)]


@pytest.fixture(scope="module")
async def stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as databases:
        yield databases


@pytest.fixture(scope="module")
async def serving(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Witness]:
    directory = tmp_path_factory.mktemp("witness")
    logs = [MemoryLog(origin).key.verifier for origin in ORIGINS]
    async with witness(stack, directory, "witness.example/w1", logs) as running:
        yield running


async def _refused(http: httpx.AsyncClient, url: str, request: object) -> tuple[int, str]:
    response = await submit(http, url, request)  # pyright: ignore[reportArgumentType]
    return response.status_code, response.json()["type"].removeprefix("urn:plumbline:problem:")


async def test_growing_log_is_cosigned_with_every_key_and_shown_to_monitors(
    serving: Witness, http: httpx.AsyncClient
) -> None:
    log = MemoryLog(ORIGINS[0])
    for old_size, size in ((0, 1), (1, 5), (5, 5), (5, 300)):
        request = log.request(old_size, size)
        response = await submit(http, serving.url, request)
        signed = cosignatures(response, request.note, serving.keys)
        assert [each.key for each in signed] == serving.keys
        assert all(each.time for each in signed)
    origin_hash = hashlib.sha256(log.origin.encode()).hexdigest()
    shown = await http.get(f"{serving.url}/{origin_hash}/checkpoint")
    checkpoint, note = open_checkpoint(shown.content, [log.key.verifier], origin=log.origin)
    assert checkpoint.size == 300
    assert [each.key for each in verify_signatures(note, serving.keys)] == serving.keys


async def test_each_refusal_has_the_status_of_the_specification(
    serving: Witness, http: httpx.AsyncClient
) -> None:
    log, fork = MemoryLog(ORIGINS[1]), MemoryLog(ORIGINS[1], fork=b"fork")
    assert (await submit(http, serving.url, log.request(0, 9))).status_code == 200
    for old_size in (0, 3):
        conflict = await submit(http, serving.url, log.request(old_size, 12))
        assert (conflict.status_code, conflict.text) == (409, "9\n")
        assert conflict.headers["content-type"] == SIZE_TYPE
    assert await _refused(http, serving.url, fork.request(9, 9)) == (422, "log-inconsistent")
    assert await _refused(http, serving.url, fork.request(9, 12)) == (422, "log-inconsistent")
    stranger = MemoryLog("stranger.example")
    assert await _refused(http, serving.url, stranger.request(0, 1)) == (404, "not-found")
    unsigned = log.request(9, 12).encode().replace(b"\n12\n", b"\n13\n")
    assert await _refused(http, serving.url, unsigned) == (403, "log-key-unknown")
    backwards = log.request(0, 8).encode().replace(b"old 0", b"old 9")
    assert await _refused(http, serving.url, backwards) == (400, "invalid-request")
    assert await _refused(http, serving.url, b"x" * 2_000_000) == (413, "body-too-large")
    unseen = hashlib.sha256(ORIGINS[4].encode()).hexdigest()
    for origin_hash in (unseen, unseen.upper(), "x", "..%2f.."):
        assert (await http.get(f"{serving.url}/{origin_hash}/checkpoint")).status_code == 404
    assert (await submit(http, serving.url, log.request(9, 12))).status_code == 200


async def test_noise_is_refused_without_an_error_in_the_log(
    serving: Witness, http: httpx.AsyncClient
) -> None:
    good = MemoryLog(ORIGINS[1]).request(5, 9).encode()
    generator = random.Random(19)
    for _ in range(60):
        noise = bytearray(good)
        for _ in range(generator.randint(1, 4)):
            noise[generator.randrange(len(noise))] = generator.randrange(256)
        cut = bytes(noise)[: generator.randrange(len(noise))]
        for body in (bytes(noise), cut):
            assert (await submit(http, serving.url, body)).status_code in {400, 403, 404, 409, 422}
    assert "Traceback" not in serving.running.log()


async def test_of_requests_that_meet_one_is_cosigned_and_the_others_hear_its_size(
    serving: Witness, http: httpx.AsyncClient, stack: Stack
) -> None:
    log = MemoryLog(ORIGINS[2])
    sizes = range(1, 21)
    answers = await asyncio.gather(*(submit(http, serving.url, log.request(0, size)) for size in sizes))
    (winner,) = [size for size, answer in zip(sizes, answers, strict=True) if answer.status_code == 200]
    assert {answer.text for answer in answers if answer.status_code == 409} == {f"{winner}\n"}
    assert {answer.status_code for answer in answers} == {200, 409}
    stored = await stack.database("audit").fetchval(
        "SELECT tree_size FROM witness_log WHERE origin = $1", log.origin
    )
    assert stored == winner


class Overtaken(Database):
    """A database in which another request is cosigned between the first reading and writing."""

    other: Callable[[], Awaitable[object]] | None = None

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncGenerator[Connection]:
        other, self.other = self.other, None
        if other:
            await other()
        async with super().transaction(**options) as connection:
            yield connection


@pytest.mark.parametrize("first", [0, 5])
async def test_request_that_is_overtaken_hears_the_size_of_the_other(stack: Stack, first: int) -> None:
    log, key = MemoryLog(f"log.example/{new_id()}"), KeyType.ED25519_COSIGNATURE
    policy = parse_policy(f"log {log.key.verifier}\nquorum none\n".encode())
    identity = WitnessIdentity([SigningKey("witness.example", key, bytes(32))], policy)
    database = Overtaken(stack.database("audit").dsn("audit"), application_name="overtaken")
    await database.start()
    try:
        if first:
            await add_checkpoint(database, identity, log.request(0, first).encode())
        database.other = lambda: add_checkpoint(database, identity, log.request(first, 9).encode())
        with pytest.raises(WitnessRefusalError) as refused:
            await add_checkpoint(database, identity, log.request(first, 7).encode())
        assert (refused.value.status, refused.value.size) == (409, 9)
    finally:
        await database.stop()


async def test_killed_witness_remembers_what_it_answered(serving: Witness, http: httpx.AsyncClient) -> None:
    log = MemoryLog(ORIGINS[3])
    assert (await submit(http, serving.url, log.request(0, 7))).status_code == 200
    await serving.running.kill()
    await serving.running.start()
    again = await submit(http, serving.url, log.request(0, 7))
    assert (again.status_code, again.text) == (409, "7\n")


@pytest.mark.parametrize("change", ["tree_size = 0", "root = sha256('fork')"])
async def test_database_refuses_to_go_back(serving: Witness, stack: Stack, change: str) -> None:
    database = stack.database("audit")
    await database.execute(
        "INSERT INTO witness_log (origin, tree_size, root, note) VALUES ('own', 1, sha256('tree'), '')"
        " ON CONFLICT DO NOTHING"
    )
    for role in (None, "audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="has cosigned a tree of 1"):
            await database.execute(f"UPDATE witness_log SET {change} WHERE origin = 'own'", role=role)
