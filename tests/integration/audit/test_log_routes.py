"""Software of others reads the log under /log: checkpoint, keys, tiles and bundles of tlog-tiles (AU-7)."""

import asyncio
import gzip
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from audit.domain.log.checkpoints import open_checkpoint
from audit.domain.log.keys import parse_verifier_key
from audit.domain.log.tiles import TileKey, range_hash, tile_width, tiles_of
from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, webhook
from integration.audit.foreign_verifiers import VERIFIERS, verifies
from integration.audit.sealed_log import is_sealed, read_log, read_note

FOR_EVER = "max-age=31536000, immutable"


@pytest.fixture(scope="module")
async def own(infra: Infra, http: httpx.AsyncClient) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit") as stack:
        records = [webhook(b"{}", key=b"one") for _ in range(600)]
        await AuditApi(stack, http).recorded("webhooks.stripe.v1", *records)

        async def all_sealed() -> bool:
            return await is_sealed(stack)

        await eventually(all_sealed, seconds=20)
        yield stack


@pytest.fixture
async def log(own: Stack, http: httpx.AsyncClient) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{own.url('audit')}/log/", trust_env=False) as client:
        yield client


async def test_tree_is_rebuilt_from_tiles_and_bundles_under_a_checkpoint_of_both_keys(
    log: httpx.AsyncClient,
) -> None:
    keys = (await log.get("keys")).json()
    verifiers = [parse_verifier_key(key["key"]) for key in keys["keys"]]
    assert [(key["type"], key["signs"]) for key in keys["keys"]] == [("ed25519", True), ("ml-dsa-44", True)]
    answer = await log.get("checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=2"
    for key in verifiers:
        open_checkpoint(answer.content, [key], origin=keys["origin"])
    size, root = read_note(answer.content)
    hashes: dict[TileKey, list[bytes]] = {}
    for level, number in tiles_of([(0, size)]):
        width = tile_width(level, number, size)
        suffix = "" if width == 256 else f".p/{width}"
        tile = await log.get(f"tile/{level}/{number:03}{suffix}")
        assert (tile.headers["content-type"], tile.headers["cache-control"]) == (
            "application/octet-stream",
            f"public, {FOR_EVER}",
        )
        hashes[TileKey(level, number)] = [tile.content[at : at + 32] for at in range(0, 32 * width, 32)]
    assert range_hash((0, size), hashes.__getitem__) == root
    bundle = (await log.get(f"tile/entries/{size // 256:03}.p/{size % 256}")).content
    edge = (await log.get(f"tile/0/{size // 256:03}.p/{size % 256}")).content
    assert b"".join(hashlib.sha256(b"\0" + entry).digest() for entry in entries_of(bundle)) == edge


@pytest.mark.parametrize("verifier", VERIFIERS)
async def test_verifiers_of_others_find_the_whole_log_in_order(
    own: Stack, log: httpx.AsyncClient, verifier: str, tmp_path: Path
) -> None:
    key = (await log.get("keys")).json()["keys"][0]["key"]
    assert await asyncio.to_thread(verifies, verifier, key, f"{own.url('audit')}/log", tmp_path)


def entries_of(bundle: bytes) -> list[bytes]:
    entries: list[bytes] = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        entries.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return entries


async def test_every_width_up_to_the_head_is_served_and_nothing_beyond(
    own: Stack, log: httpx.AsyncClient
) -> None:
    sealed = (await read_log(own)).sealed
    full = (await log.get("tile/0/001")).content
    assert 512 < len(sealed) < 767
    assert (await log.get("tile/0/001.p/7")).content == full[: 7 * 32]
    assert entries_of((await log.get("tile/entries/000.p/3")).content) == list(sealed[:3])
    assert len((await log.get("tile/1/000.p/2")).content) == 64
    last = len(sealed) % 256
    for path in (
        f"0/002.p/{last + 1}",
        "0/002",
        "0/003",
        "1/000",
        "1/000.p/3",
        "2/000.p/1",
        "entries/002",
        "63/000",
    ):
        assert (await log.get(f"tile/{path}")).status_code == 404, path


@pytest.mark.parametrize(
    "path",
    [
        *(
            "0/0",
            "0/1",
            "0/0000",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "0/000.p/7/",
            "0/000/",
        ),
        *(
            "00/000",
            "64/000",
            "-1/000",
            "x/000",
            "0/x000/000",
            "0/x00/000",
            "0/000/000",
            "0/X001/000",
            "0/+00",
        ),
        *(
            "0/00%30",
            "0/%2e%2e/000",
            "0//000",
            "0/000.p/%37",
            "0/\u0660\u0660\u0660",
            "0/000 ",
            "0",
            "entries",
            "entries/",
            "",
        ),
        *("entries/0", "entries/000.p/0", "entries//000", "entries/000/", "/0/000", "0/000%00"),
        *("0/" + "x999/" * 6 + "999", "0/" + "x999/" * 5 + "999", "9" * 400 + "/000"),
    ],
)
async def test_odd_path_is_not_found(own: Stack, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{own.url('audit')}/log/tile/{path}")
    assert answer.status_code == 404, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_bundle_is_compressed_for_those_who_can_read_it(log: httpx.AsyncClient) -> None:
    plain = await log.get("tile/entries/000", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert (plain.headers["vary"], plain.headers["cache-control"]) == (
        "Accept-Encoding",
        f"private, {FOR_EVER}",
    )
    request = log.build_request("GET", "tile/entries/000", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    answer = await log.send(request, stream=True)
    raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    refused = await log.get("tile/entries/000", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in refused.headers


@pytest.mark.parametrize("path", ["checkpoint", "keys", "tile/0/000", "tile/entries/000"])
async def test_head_has_the_headers_of_get_and_no_body(log: httpx.AsyncClient, path: str) -> None:
    whole, head = await log.get(path), await log.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "cache-control"):
        assert head.headers[name] == whole.headers[name], name
    assert (await log.head("tile/0/999")).status_code == 404


async def test_head_of_a_stream_ends_at_once(log: httpx.AsyncClient) -> None:
    head = await log.head("../api/event-log/stream", timeout=10)
    assert (head.status_code, head.content) == (200, b"")
