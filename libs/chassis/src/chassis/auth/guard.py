"""Litestar guard of every route: authenticates the caller and requires one of the route's roles."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from prometheus_client import Counter

from chassis.auth.access import Access, is_public, roles_of
from chassis.auth.identity import SYSTEM, Identity, Refusal, RefusalReason, Role
from chassis.auth.jwks import KeysUnavailableError
from chassis.observability.logs import get_logger

_log = get_logger(__name__)

AnyConnection = ASGIConnection[Any, Any, Any, Any]
# Returns the caller that a token names, or a refusal. Raises KeysUnavailableError without keys.
Authenticate = Callable[[bytes], Awaitable[Identity | Refusal]]

_REALM = 'Bearer realm="plumbline"'
_FORBIDDEN = {RefusalReason.ROLE_MISSING, RefusalReason.ROUTE_WITHOUT_ROLE}


class AccessRefusedError(Exception):
    """A refused request: the caller is unknown (401), has no role (403), or cannot be verified now (503)."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal

    @property
    def status(self) -> HTTPStatus:
        if self.refusal.reason is RefusalReason.KEYS_UNAVAILABLE:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.FORBIDDEN if self.refusal.reason in _FORBIDDEN else HTTPStatus.UNAUTHORIZED

    @property
    def headers(self) -> dict[str, str]:
        """Return the challenge (RFC 6750 §3): without a token no error, with a bad token the error."""
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            return {}
        if self.refusal.reason is RefusalReason.TOKEN_MISSING:
            return {"WWW-Authenticate": _REALM}
        error = "insufficient_scope" if self.status is HTTPStatus.FORBIDDEN else "invalid_token"
        challenge = f'{_REALM}, error="{error}", error_description="{_quotable(self.refusal.detail)}"'
        return {"WWW-Authenticate": challenge}


def _quotable(text: str) -> str:
    # The characters that RFC 6750 §3 allows in an error_description.
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)


class Guard:
    """Lets a request pass, or raises; whoever passes is `actor` and `request.user`.

    Args:
        access: the roles of every route.
        authenticate: None while AUTH_MODE=off, when everybody is "system" and may do everything.
        refusals: counts by `reason`.
    """

    def __init__(self, access: Access, authenticate: Authenticate | None, refusals: Counter) -> None:
        self.access = access
        self._authenticate = authenticate
        self._refusals = refusals

    async def __call__(self, connection: AnyConnection, _handler: BaseRouteHandler) -> None:
        """Litestar's guard: before the body is read.

        Raises:
            AccessRefusedError: logged and counted already.
        """
        path = connection.scope["path_template"]
        if is_public(path):
            return
        if self._authenticate is None:
            connection.scope["user"] = SYSTEM
            return
        route = f"{Request[Any, Any, Any](connection.scope).method} {path}"
        roles = roles_of(self.access, route)
        if roles is None:  # ANYBODY
            return
        identity = await self._caller(connection, route, self._authenticate)
        if refusal := _missing_role(identity, roles):
            raise self._refused(refusal, route, connection, actor=identity.actor)
        connection.scope["user"] = identity

    async def _caller(self, connection: AnyConnection, route: str, authenticate: Authenticate) -> Identity:
        caller = _bearer_token(connection)
        if isinstance(caller, bytes):
            try:
                caller = await authenticate(caller)
            except KeysUnavailableError as error:
                caller = Refusal(RefusalReason.KEYS_UNAVAILABLE, str(error))
        if isinstance(caller, Refusal):
            raise self._refused(caller, route, connection)
        return caller

    def _refused(
        self, refusal: Refusal, route: str, connection: AnyConnection, *, actor: str | None = None
    ) -> AccessRefusedError:
        # Recorded in log and metric only: a flood must not fill the EventLog, which is kept for ever.
        self._refusals.labels(refusal.reason.value).inc()
        peer = connection.client.host if connection.client else None
        _log.warning(
            "access refused", reason=refusal.reason.value, route=route, actor=actor, remote_address=peer
        )
        return AccessRefusedError(refusal)


def _bearer_token(connection: AnyConnection) -> bytes | Refusal:
    """Return the token of the only Authorization header (RFC 6750 §2.1)."""
    values = [value for name, value in connection.scope["headers"] if name == b"authorization"]
    if not values:
        return Refusal(RefusalReason.TOKEN_MISSING, "send a token: Authorization: Bearer <token>")
    scheme, _, token = values[0].partition(b" ")
    if scheme.lower() != b"bearer":
        return Refusal(RefusalReason.TOKEN_MISSING, "send a token: Authorization: Bearer <token>")
    if len(values) > 1:
        return Refusal(RefusalReason.TOKEN_MALFORMED, "there is more than one Authorization header")
    return token.strip(b" ")


def _missing_role(identity: Identity, allowed: frozenset[Role]) -> Refusal | None:
    if not allowed:
        return Refusal(RefusalReason.ROUTE_WITHOUT_ROLE, "no role may use this route")
    if identity.roles & allowed:
        return None
    return Refusal(RefusalReason.ROLE_MISSING, f"one of these roles is needed: {', '.join(sorted(allowed))}")


async def provide_actor(request: Request[Any, Any, Any]) -> str:
    """Return the dependency `actor`, recorded in histories as who did it (BK-4)."""
    identity: Identity = request.user
    return identity.actor
