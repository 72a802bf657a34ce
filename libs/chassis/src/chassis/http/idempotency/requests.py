"""Run the effect of a POST once for each Idempotency-Key (BK-13).

A route takes the dependency `idempotency` and gives it the effect as a function of the connection. The
handler that the effect calls writes with this connection and opens no transaction of its own:

    @post("/{booking_id:str}/offers", opt=refuses({**UNKNOWN_BOOKING, 409: ["offer-exists"]}))
    async def offer(
        booking_id: FromPath[str],
        data: JSONBody[NewOffer],
        database: NamedDependency[Database],
        idempotency: NamedDependency[Idempotency],
    ) -> Response[OfferAnswer]:
        async def effect(connection: Connection) -> Response[OfferAnswer]:
            made = await make_offer(connection, _parse_id(booking_id), data.offer())
            return Response(offer_response(made), headers={"Location": f"{PATH}/{made.id}"})

        return await idempotency.run(database, effect)

Without the header the effect runs in a transaction and nothing is stored. An error that the effect raises,
such as a `Problem`, rolls everything back: the key stays free, and the request may be tried again. A route
that takes the dependency has the header and the problems of a key in its OpenAPI document.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import HeaderParameter
from litestar.serialization import get_serializer

from chassis.http.idempotency import store
from chassis.http.idempotency.keys import CHARACTERS_MAX, HEADER, parse_key, request_digest, scope_digest
from chassis.http.problems import Problem
from chassis.postgres.database import Connection, Database

RETENTION_DAYS = 35
REPLAYED_HEADER = "Idempotent-Replayed"
RETRY_AFTER_SECONDS = 1
"""After this time a request that runs has usually ended."""

ContentT = TypeVar("ContentT")
Effect = Callable[[Connection], Awaitable[Response[ContentT]]]
StepsEffect = Callable[[], Awaitable[Response[ContentT]]]
Rebuild = Callable[[Connection, str], Awaitable[Response[ContentT]]]
"""Returns an answer from the present state of a resource, which is given by its path."""

_JSON = "application/json"


class Idempotency:
    """The Idempotency-Key of one request, or none.

    Args:
        request: its path, caller and body; the body may have been read.
        header: value of Idempotency-Key; None without the header.

    Raises:
        Problem: 400 `malformed-idempotency-key`.
    """

    def __init__(self, request: Request[Any, Any, Any], header: str | None) -> None:
        self._request = request
        self._key = None if header is None else parse_key(header)

    async def run(
        self,
        database: Database,
        effect: Effect[ContentT],
        *,
        rebuild: Rebuild[ContentT] | None = None,
        moved_sha256: bytes | None = None,
    ) -> Response[ContentT]:
        """Run the effect and store its answer in one transaction, or return the stored answer.

        Args:
            database: of the service.
            effect: writes with the connection, which is in a transaction, and returns a 2xx answer.
            rebuild: answers a repeated request whose stored body is gone; None answers 410.
            moved_sha256: the request's digest in rows that a migration moved into the table.

        Raises:
            Problem: 409 `idempotency-key-in-use`, 422 `idempotency-key-reused`, 410 `answer-erased`.
        """
        if self._key is None:
            async with database.transaction() as connection:
                return await effect(connection)
        scope, digest = await self._digests(self._key)
        async with database.transaction() as connection:
            if not await store.try_lock(connection, scope):
                raise _in_use()
            earlier = await store.find(connection, scope)
            if earlier is not None:
                _require_same_request(earlier, {digest, moved_sha256})
                return await _replay(connection, earlier.answer, rebuild)
            answer = self._answer(await effect(connection))
            await store.insert(connection, scope, digest, answer)
        return _response(answer)

    async def run_in_steps(self, database: Database, effect: StepsEffect[ContentT]) -> Response[ContentT]:
        """Run an effect that opens several transactions, and store its answer after the last one.

        A process that is killed between the two leaves no answer: the repeated request runs the effect again.
        The effect must do only what is left then, as a replay of dead letters does.

        Raises:
            Problem: as `run`.
        """
        if self._key is None:
            return await effect()
        scope, digest = await self._digests(self._key)
        session = await database.dedicated()
        try:
            if not await store.try_lock_session(session, scope):
                raise _in_use()
            earlier = await store.find(session, scope)
            if earlier is not None:
                _require_same_request(earlier, {digest})
                return await _replay(session, earlier.answer, None)
            answer = self._answer(await effect())
            await store.insert(session, scope, digest, answer)
        finally:
            session.terminate()
        return _response(answer)

    async def _digests(self, key: str) -> tuple[bytes, bytes]:
        """Return the digests of scope and content."""
        request = self._request
        scope = scope_digest(str(request.method), request.user.actor, key, self._path)
        return scope, request_digest(await request.body(), request.scope["query_string"])

    @property
    def _path(self) -> str:
        return self._request.scope["path"].rstrip("/")

    def _answer(self, response: Response[Any]) -> store.Answer:
        handler: HTTPRouteHandler = self._request.route_handler
        status = response.status_code or handler.status_code
        body = response.render(response.content, _JSON, get_serializer(handler.resolve_type_encoders()))
        resource = response.headers.get("Location", self._path)
        return store.Answer(resource, status, response.headers, body)


async def provide_idempotency(
    request: Request[Any, Any, Any],
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name=HEADER,
            description=f"up to {CHARACTERS_MAX} printable ASCII characters, bare or quoted, chosen for one"
            " request. The same request under the same key has no further effect and gets the first answer,"
            f" with `{REPLAYED_HEADER}: true`, for at least {RETENTION_DAYS} days. A refused request is not"
            " stored and may be tried again",
        ),
    ] = None,
) -> Idempotency:
    """Return the dependency `idempotency`."""
    return Idempotency(request, idempotency_key)


def _require_same_request(earlier: store.AnsweredRequest, digests: set[bytes | None]) -> None:
    if earlier.request_sha256 not in digests:
        detail = f"{HEADER}: used for another request before; take a new key for a new request"
        raise Problem(422, "idempotency-key-reused", detail)


async def _replay(
    connection: Connection, answer: store.Answer, rebuild: Rebuild[Any] | None
) -> Response[Any]:
    if answer.body is not None:
        response = _response(answer)
    elif rebuild is not None:
        response = await rebuild(connection, answer.resource)
    else:
        detail = f"the request was carried out and its answer was erased; read {answer.resource}"
        raise Problem(410, "answer-erased", detail, resource=answer.resource)
    response.headers[REPLAYED_HEADER] = "true"
    return response


def _in_use() -> Problem:
    return Problem(
        409,
        "idempotency-key-in-use",
        f"{HEADER}: a request with this key is running; send it again in a moment",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _response(answer: store.Answer) -> Response[Any]:
    return Response(answer.body, status_code=answer.status, media_type=_JSON, headers=dict(answer.headers))
