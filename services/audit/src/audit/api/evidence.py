"""Route of a booking's evidence (AU-9)."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from audit.api.problems import log_changed, no_checkpoint, too_many_entries, unknown_booking
from audit.domain.identifiers import booking_identifier
from audit.domain.log.key_ring import KeyRing
from audit.domain.log.policies import Policy
from audit.handlers.evidence import (
    EvidenceRequest,
    NothingSealedError,
    TooManyEntriesError,
    WrongProofsError,
    make_evidence,
)
from chassis.http.openapi.problems import refuses
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS

HTML = "text/html"
_FILE = {
    200: ResponseSpec(
        str, generate_examples=False, media_type=HTML, description="A page that holds the evidence"
    )
}


@get(
    "/api/bookings/{booking_id:str}/evidence",
    summary="Evidence of a booking, a file that checks itself; making it is recorded",
    tags=["bookings"],
    media_type=HTML,
    responses=_FILE,
    opt=refuses(
        {
            **READ_REFUSALS,
            404: ["not-found"],
            409: ["too-many-entries"],
            500: ["internal-error", "log-damaged"],
        }
    ),
)
async def booking_evidence(
    booking_id: FromPath[str],
    database: NamedDependency[Database],
    exports: NamedDependency[Database],
    keys: NamedDependency[KeyRing | None],
    witnesses: NamedDependency[Policy | None],
    actor: NamedDependency[str],
) -> Response[bytes]:
    known_as, verifiers = booking_identifier(booking_id), keys.verifiers if keys else ()
    request = EvidenceRequest(known_as, verifiers, witnesses, actor=actor, through="http")
    try:
        file = await make_evidence(exports, database, request)
    except NothingSealedError:
        raise no_checkpoint() from None
    except TooManyEntriesError as error:
        raise too_many_entries(str(error)) from None
    except WrongProofsError:
        raise log_changed() from None
    if file is None:
        raise unknown_booking()
    name = f"evidence-{known_as.replace(':', '-')}.html"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(file.content, media_type=HTML, headers=headers)
