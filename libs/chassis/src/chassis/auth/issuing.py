"""Tokens signed with the shared key, for development and for scripts without an identity provider."""

from collections.abc import Sequence
from datetime import datetime

from joserfc import jwt
from joserfc.jwk import OctKey

from chassis.auth.identity import Refusal, Role
from chassis.auth.keys import shared_key
from chassis.auth.settings import AuthSettings
from chassis.auth.tokens import verify


class CannotIssueError(Exception):
    """No token can be made that the services accept. The message says what to change."""


def issue(settings: AuthSettings, *, subject: str, roles: Sequence[Role], now: datetime, minutes: int) -> str:
    """Return a token that a service with these settings accepts.

    Raises:
        CannotIssueError: the settings have no shared key, or the subject is not allowed.
    """
    if settings.auth_mode != "jwt" or settings.auth_jwt_key is None:
        raise CannotIssueError(
            "set AUTH_MODE=jwt and AUTH_JWT_KEY to make tokens here; others come from your identity provider"
        )
    secret = settings.auth_jwt_key.get_secret_value()
    claims = _claims(settings, subject, roles, issued_at=int(now.timestamp()), minutes=minutes)
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))
    result = verify(token.encode(), shared_key(secret), settings.expectation, now)
    if isinstance(result, Refusal):
        raise CannotIssueError(f"the services would not accept the token: {result.detail}")
    return token


def _claims(
    settings: AuthSettings, subject: str, roles: Sequence[Role], *, issued_at: int, minutes: int
) -> dict[str, object]:
    value: object = [role.value for role in roles]
    claim = settings.auth_jwt_roles_claim
    # A URL such as https://example.com/roles is one name, although it contains dots.
    first, *rest = [claim] if "/" in claim else claim.split(".")
    for name in reversed(rest):
        value = {name: value}
    return {
        "iss": settings.auth_jwt_issuer,
        "aud": settings.auth_jwt_audience,
        "sub": subject,
        "iat": issued_at,
        "exp": issued_at + 60 * minutes,
        first: value,
    }
