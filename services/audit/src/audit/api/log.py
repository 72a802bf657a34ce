"""Routes of the sealed log, for software of others: C2SP tlog-tiles (AU-7). See docs/audit.md."""

import gzip
from typing import Any, TypedDict

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from audit.api.problems import NO_LOG, log_damaged, no_checkpoint, no_tile
from audit.domain.log.key_ring import KeyRing
from audit.domain.log.keys import KeyType
from audit.domain.log.tiles import TilePath, parse_tile_path
from audit.handlers import log_queries
from chassis.http.openapi.problems import refuses
from chassis.postgres import Database

TILE = "/log/tile/"

# A tile of a given width never changes, whether it is full or not.
_FOR_EVER = "max-age=31536000, immutable"
_PUBLIC_FOR_EVER = f"public, {_FOR_EVER}"
# A bundle may need a token: a cache that several callers share must not keep it.
_PRIVATE_FOR_EVER = f"private, {_FOR_EVER}"
_A_MOMENT = "public, max-age=2"
# Level 1: bundles are JSON, and higher levels take three times as long for a tenth less.
_GZIP_LEVEL = 1

AnyRequest = Request[Any, Any, Any]

_NAMES = {KeyType.ED25519: "ed25519", KeyType.MLDSA44_COSIGNATURE: "ml-dsa-44"}
_BYTES = {
    200: ResponseSpec(
        bytes, generate_examples=False, media_type="application/octet-stream", description="A tile"
    )
}
_TEXT = {
    200: ResponseSpec(str, generate_examples=False, media_type="text/plain", description="A signed note")
}


class LogKey(TypedDict):
    """A key whose signatures count. `signs` is false for an earlier key."""

    key: str
    id: str
    type: str
    signs: bool


class LogKeys(TypedDict):
    """Verifier keys of the log in signed-note form; none, and no origin, where nothing is sealed."""

    origin: str | None
    keys: list[LogKey]


@get(
    "/log/checkpoint",
    summary="The newest signed checkpoint",
    tags=["sealed log"],
    responses=_TEXT,
    opt=refuses({404: ["not-found"]}),
)
async def log_checkpoint(database: NamedDependency[Database]) -> Response[str]:
    note = await log_queries.get_checkpoint(database)
    if note is None:
        raise no_checkpoint()
    return Response(note, media_type="text/plain", headers={"Cache-Control": _A_MOMENT})


@get(
    "/log/tile/{path:path}",
    summary="A tile of the Merkle tree",
    tags=["sealed log"],
    responses=_BYTES,
    opt=refuses(NO_LOG),
)
async def log_tile(
    request: AnyRequest, path: FromPath[str], database: NamedDependency[Database]
) -> Response[bytes]:
    tile = _requested(request, path)
    if tile.level is None:
        raise no_tile()
    content = await _content(database, tile)
    return Response(
        content, media_type="application/octet-stream", headers={"Cache-Control": _PUBLIC_FOR_EVER}
    )


@get(
    "/log/tile/entries/{path:path}",
    summary="A bundle of sealed entries",
    tags=["sealed log"],
    responses=_BYTES,
    opt=refuses(NO_LOG),
)
async def log_entries(
    request: AnyRequest, path: FromPath[str], database: NamedDependency[Database]
) -> Response[bytes]:
    content = await _content(database, _requested(request, path))
    headers = {"Cache-Control": _PRIVATE_FOR_EVER, "Vary": "Accept-Encoding"}
    if _accepts_gzip(request):
        content = gzip.compress(content, _GZIP_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type="application/octet-stream", headers=headers)


@get("/log/keys", summary="Keys of the log", tags=["sealed log"])
async def log_keys(keys: NamedDependency[KeyRing | None]) -> LogKeys:
    if keys is None:
        return {"origin": None, "keys": []}
    return {
        "origin": keys.origin,
        "keys": [
            {"key": str(key), "id": key.id.hex(), "type": _NAMES[key.type], "signs": keys.signs(key)}
            for key in keys.verifiers
        ],
    }


def _requested(request: AnyRequest, path: str) -> TilePath:
    """Return the requested tile. Only its one spelling is a tile's path: no other slash, no escapes."""
    del path
    raw: bytes = request.scope["raw_path"]
    tile = parse_tile_path(raw.decode("latin-1").removeprefix(TILE))
    if tile is None:
        raise no_tile()
    return tile


async def _content(database: Database, tile: TilePath) -> bytes:
    try:
        content = await log_queries.get_tile(database, tile)
    except log_queries.DamagedLogError:
        raise log_damaged() from None
    if content is None:
        raise no_tile()
    return content


def _accepts_gzip(request: AnyRequest) -> bool:
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.strip().removeprefix("q=").strip("0.") != "" or not weight.strip()
    return False
