"""Route of a payload: the only one that shows personal data. Each reading is an entry (AU-6, AU-10)."""

from base64 import b64encode
from typing import Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from audit.api.problems import payload_gone, unknown_entry
from audit.api.responses import Payload
from audit.handlers.payloads import PayloadGoneError, read_payload
from chassis.http.openapi.problems import refuses
from chassis.postgres import Database


@get(
    "/api/event-log/{entry_id:int}/payload",
    summary="Payload of an entry; reading it is recorded",
    tags=["log"],
    opt=refuses({404: ["not-found"], 410: ["payload-erased", "payload-expired"]}),
)
async def entry_payload(
    entry_id: FromPath[int], database: NamedDependency[Database], actor: NamedDependency[str]
) -> Payload:
    try:
        payload = await read_payload(database, entry_id, actor=actor)
    except PayloadGoneError as error:
        raise payload_gone(entry_id, error.state, error.oldest_retained) from error
    if payload is None:
        raise unknown_entry(entry_id)
    encoding, body = _as_text(payload.body or b"")
    return {
        "entry_id": entry_id,
        "event_type": payload.event_type,
        "encoding": encoding,
        "body": body,
        "texts": payload.texts,
    }


def _as_text(body: bytes) -> tuple[Literal["utf-8", "base64"], str]:
    try:
        return "utf-8", body.decode()
    except UnicodeDecodeError:
        return "base64", b64encode(body).decode()
