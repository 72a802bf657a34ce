"""Build the guard from the settings, for both values of AUTH_MODE."""

from dataclasses import dataclass

from chassis import clock
from chassis.auth.access import Access
from chassis.auth.guard import Authenticate, Guard
from chassis.auth.identity import Identity, Refusal, RefusalReason
from chassis.auth.jwks import JwksKeys, KeysUnavailableError
from chassis.auth.keys import shared_key
from chassis.auth.settings import AuthSettings
from chassis.auth.tokens import Expectation, verify
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.process.component import Component
from chassis.process.health import Check, CheckFunction, Health

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Auth:
    """The guard of a service, and the components that it needs."""

    guard: Guard
    components: tuple[Component, ...]


def build_auth(settings: AuthSettings, access: Access, *, health: Health, metrics: Metrics) -> Auth:
    """Return the guard for AUTH_MODE. Readiness always shows the mode.

    Args:
        settings: of the service.
        access: roles of its routes.
        health: gets the check "auth".
        metrics: gets `access_refusals_total`.
    """
    authenticate, components, mode = _mode(settings)
    health.add("auth", _constant_check(mode))
    refusals = metrics.counter("access_refusals")
    return Auth(Guard(access, authenticate, refusals), components)


def _constant_check(mode: str) -> CheckFunction:
    async def check() -> Check:
        return Check(ok=True, detail=mode)

    return check


def _mode(settings: AuthSettings) -> tuple[Authenticate | None, tuple[Component, ...], str]:
    if settings.auth_mode == "off":
        if settings.environment == "production":
            _log.warning("AUTH_MODE=off in production: every client of this port may do everything")
        return None, (), "off: everybody may do everything"
    expected = settings.expectation
    if settings.auth_jwt_key is not None:
        shown = f"jwt: issuer {expected.issuer}, shared key"
        return _by_shared_key(settings.auth_jwt_key.get_secret_value(), expected), (), shown
    assert settings.auth_jwks_url, "the settings are validated"
    keys = JwksKeys(settings.auth_jwks_url)
    return (
        _by_jwks(keys, expected),
        (keys,),
        f"jwt: issuer {expected.issuer}, keys of {settings.auth_jwks_url}",
    )


def _by_shared_key(secret: str, expected: Expectation) -> Authenticate:
    ring = shared_key(secret)

    async def authenticate(token: bytes) -> Identity | Refusal:
        return verify(token, ring, expected, clock.now())

    return authenticate


def _by_jwks(keys: JwksKeys, expected: Expectation) -> Authenticate:
    async def authenticate(token: bytes) -> Identity | Refusal:
        result = verify(token, await keys.current(), expected, clock.now())
        if isinstance(result, Refusal) and result.reason is RefusalReason.KEY_UNKNOWN:
            # The issuer may have a new key: fetch the keys before the token is refused.
            if not await keys.renew():
                raise KeysUnavailableError("the token's key is unknown and cannot be fetched now; try again")
            result = verify(token, await keys.current(), expected, clock.now())
        return result

    return authenticate
