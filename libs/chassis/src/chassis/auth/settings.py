"""Settings of authentication: AUTH_MODE and AUTH_JWT_* (interface.md)."""

from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator

# Commands read settings and verify no token: what verifies is imported where it is needed.
if TYPE_CHECKING:
    from chassis.auth.tokens import Expectation

LIFETIME_SECONDS_MAX_DEFAULT = 24 * 60 * 60
_ROLES_CLAIM_DEFAULT = "roles"
_TOKEN_VARIABLES = ("auth_jwt_issuer", "auth_jwt_audience", "auth_jwks_url", "auth_jwt_key")


def _is_exact(text: str) -> str:
    # The value is compared exactly. With spaces or quotes it would match no token.
    if text != text.strip() or text[0] in "\"'":
        raise ValueError("has spaces or quotation marks around it: leave them out")
    return text


def _is_path(claim: str) -> str:
    if not all(claim.split(".")):
        raise ValueError("expected a claim such as roles, realm_access.roles or https://example.com/roles")
    return claim


def _is_http(url: str) -> str:
    if not _is_fetchable(url):
        raise ValueError(
            "expected an address such as https://login.example.com/keys, without a password,"
            " a port from 1 to 65535"
        )
    return url


def _is_fetchable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return False
    is_plain = not parts.username and not parts.fragment
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_plain and port != 0


def _is_usable(key: SecretStr) -> SecretStr:
    from chassis.auth.keys import UnusableKeyError, shared_key  # noqa: PLC0415 - see above

    try:
        shared_key(key.get_secret_value())
    except UnusableKeyError as error:
        raise ValueError(str(error)) from None
    return key


Exact = Annotated[str, AfterValidator(_is_exact)]


class AuthSettings(BaseModel):
    """Settings that say whether tokens are required, and which tokens are accepted."""

    environment: Literal["development", "production"] = "development"
    auth_mode: Literal["off", "jwt"] = "off"
    auth_jwt_issuer: Exact | None = None
    auth_jwt_audience: Exact | None = None
    auth_jwks_url: Annotated[Exact, AfterValidator(_is_http)] | None = None
    auth_jwt_key: Annotated[SecretStr, AfterValidator(_is_usable)] | None = None
    auth_jwt_roles_claim: Annotated[Exact, AfterValidator(_is_path)] = _ROLES_CLAIM_DEFAULT

    auth_jwt_lifetime_seconds_max: int = Field(
        LIFETIME_SECONDS_MAX_DEFAULT, ge=60, description="tokens that are valid for longer are refused"
    )

    @property
    def expectation(self) -> "Expectation":
        """Return the values that a token must have, where AUTH_MODE=jwt."""
        from chassis.auth.tokens import Expectation  # noqa: PLC0415 - see above

        assert self.auth_jwt_issuer, "validated below"
        assert self.auth_jwt_audience, "validated below"
        return Expectation(
            self.auth_jwt_issuer,
            self.auth_jwt_audience,
            self.auth_jwt_roles_claim,
            self.auth_jwt_lifetime_seconds_max,
        )

    @model_validator(mode="after")
    def _jwt_is_complete(self) -> Self:
        if self.auth_mode == "off":
            self._refuse_forgotten_mode()
            return self
        for variable in ("auth_jwt_issuer", "auth_jwt_audience"):
            if getattr(self, variable) is None:
                raise ValueError(
                    f"{variable.upper()} is not set although AUTH_MODE=jwt: no token could be verified"
                )
        if (self.auth_jwks_url is None) == (self.auth_jwt_key is None):
            raise ValueError("AUTH_MODE=jwt takes exactly one of AUTH_JWKS_URL and AUTH_JWT_KEY")
        if (
            self.environment == "production"
            and self.auth_jwks_url
            and not self.auth_jwks_url.startswith("https:")
        ):
            raise ValueError(
                "AUTH_JWKS_URL is not https although ENVIRONMENT=production: keys could be replaced"
            )
        return self

    def _refuse_forgotten_mode(self) -> None:
        # With token settings but no AUTH_MODE, an operator may believe that tokens are required.
        variables = [name for name in _TOKEN_VARIABLES if getattr(self, name) is not None]
        if variables and "auth_mode" not in self.model_fields_set:
            raise ValueError(
                f"{variables[0].upper()} is set and AUTH_MODE is not:"
                " set AUTH_MODE=jwt to require tokens, or AUTH_MODE=off"
            )
