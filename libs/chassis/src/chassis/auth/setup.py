"""From settings to a guard: the one place that knows both modes."""

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
    """The guard of a service, and the components that it needs to run."""

    guard: Guard
    components: tuple[Component, ...]


def build_auth(settings: AuthSettings, access: Access, *, health: Health, metrics: Metrics) -> Auth:
    """As AUTH_MODE says; readiness always shows the mode.

    Args:
        settings: of the service.
        access: the roles of its routes.
        health: gets the check "auth".
        metrics: gets `access_refusals_total`.
    """
    authenticate, components, mode = _mode(settings)
    health.add("auth", _shown(mode))
    refusals = metrics.counter("access_refusals")
    return Auth(Guard(access, authenticate, refusals), components)


def _shown(mode: str) -> CheckFunction:
    async def check() -> Check:
        return Check(ok=True, detail=mode)

    return check


def _mode(settings: AuthSettings) -> tuple[Authenticate | None, tuple[Component, ...], str]:
    if settings.auth_mode == "off":
        if settings.environment == "production":
            _log.warning("AUTH_MODE=off in production: whoever reaches this port may do everything")
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
        found = verify(token, await keys.current(), expected, clock.now())
        if isinstance(found, Refusal) and found.reason is RefusalReason.KEY_UNKNOWN:
            if not await keys.renewed():  # the issuer may have a new key: nobody is refused unheard
                raise KeysUnavailableError("the token's key is new, and cannot be looked up now; try again")
            found = verify(token, await keys.current(), expected, clock.now())
        return found

    return authenticate
