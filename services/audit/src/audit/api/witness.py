"""Routes of `audit witness serve`, the protocol of https://c2sp.org/tlog-witness."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from audit.domain.log.witness_answers import SIZE_TYPE
from audit.domain.log.witness_requests import WitnessRefusalError
from audit.handlers import witnessing
from audit.handlers.witnessing import WitnessIdentity
from chassis.http.json_bodies import takes_text
from chassis.http.openapi.problems import refuses
from chassis.http.problems import Problem
from chassis.postgres import Database

_KINDS: Mapping[int, str] = {
    400: "invalid-request",
    403: "log-key-unknown",
    404: "not-found",
    422: "log-inconsistent",
    503: "temporarily-unavailable",
}


@post(
    "/add-checkpoint",
    status_code=200,
    media_type="text/plain",
    summary="Cosign a checkpoint",
    tags=["witness"],
    opt=takes_text() | refuses({status: [kind] for status, kind in _KINDS.items()}),
)
async def add_checkpoint(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    witness: NamedDependency[WitnessIdentity],
) -> Response[str]:
    try:
        lines = await witnessing.add_checkpoint(database, witness, await request.body())
    except WitnessRefusalError as error:
        if error.size is None:
            raise Problem(error.status, _KINDS[error.status], str(error)) from None
        # A header, because the framework adds a charset to text; clients compare the whole value.
        return Response(f"{error.size}\n", status_code=error.status, headers={"content-type": SIZE_TYPE})
    return Response(lines)


@get(
    "/{origin_hash:str}/checkpoint",
    media_type="text/plain",
    summary="Newest checkpoint that was cosigned of a log",
    tags=["witness"],
    opt=refuses({404: ["not-found"]}),
)
async def newest_checkpoint(
    origin_hash: FromPath[str],
    database: NamedDependency[Database],
    witness: NamedDependency[WitnessIdentity],
) -> Response[str]:
    note = await witnessing.newest_checkpoint(database, witness, origin_hash)
    if note is None:
        raise Problem(404, "not-found", "this witness has cosigned no log whose origin has this hash")
    return Response(note)


WITNESS_ROUTES = (add_checkpoint, newest_checkpoint)
