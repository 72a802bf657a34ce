"""The guard: accepted and refused callers, reasons, log lines and metrics (ALL-4, RFC 6750)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from chassis.auth.identity import RefusalReason
from chassis.auth.settings import AuthSettings
from unit.chassis.auth.guarded_app import (
    AUDIENCE,
    ISSUER,
    SECRET,
    GuardedApp,
    bearer,
    calling,
    jwt_settings,
    token,
)


@pytest.fixture
def app() -> GuardedApp:
    return GuardedApp(jwt_settings())


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_subject_of_a_valid_token_is_the_actor(app: GuardedApp, scheme: str) -> None:
    answer = await app.call("GET", "/things", {"Authorization": f"{scheme} {token('viewer')}"})
    assert (answer.status_code, answer.json()) == (200, {"actor": "ana"})


async def test_mode_off_lets_everybody_be_system_and_readiness_says_so() -> None:
    app = GuardedApp(AuthSettings())
    answer = await app.call("POST", "/things", bearer("whatever"))
    assert (answer.status_code, answer.json()) == (201, {"actor": "system"})
    ready = (await app.call("GET", "/health/ready")).json()
    assert ready["checks"]["auth"] == {"ok": True, "detail": "off: everybody may do everything"}


async def test_mode_off_in_production_is_a_warning() -> None:
    with capture_logs() as lines:
        GuardedApp(AuthSettings(environment="production"))
    assert [line["log_level"] for line in lines] == ["warning"]
    assert "AUTH_MODE=off in production" in lines[0]["event"]


async def test_readiness_names_the_issuer_and_no_secret(app: GuardedApp) -> None:
    ready = (await app.call("GET", "/health/ready")).json()
    assert ready["checks"]["auth"]["detail"] == f"jwt: issuer {ISSUER}, shared key"
    assert SECRET not in str(ready)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/schema/openapi.json"])
async def test_health_metrics_and_document_are_for_everybody(app: GuardedApp, path: str) -> None:
    assert (await app.call("GET", path)).status_code == 200


def refusals(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [line for line in lines if line["event"] == "access refused"]


# Functions, because a token made when the module is imported has expired when its test runs last.
REFUSALS: list[tuple[Callable[[], Any], RefusalReason]] = [
    (list, RefusalReason.TOKEN_MISSING),
    (lambda: [("Authorization", "Basic YW5hOmFuYQ==")], RefusalReason.TOKEN_MISSING),
    (lambda: [("Authorization", "Bearer")], RefusalReason.TOKEN_MALFORMED),
    (lambda: [("Authorization", "Bearer a b")], RefusalReason.TOKEN_MALFORMED),
    (lambda: [*bearer(token("viewer")).items()] * 2, RefusalReason.TOKEN_MALFORMED),
    (lambda: bearer("x" * 9000), RefusalReason.TOKEN_TOO_LARGE),
    (lambda: bearer(token("viewer", seconds=-60)), RefusalReason.TOKEN_EXPIRED),
    (lambda: bearer(token("viewer", sub="stripe")), RefusalReason.SUBJECT_NOT_ALLOWED),
    (lambda: bearer(token("viewer")[:-3]), RefusalReason.SIGNATURE_INVALID),
]


@pytest.mark.parametrize(
    ("headers", "reason"), REFUSALS, ids=[f"{n}-{r}" for n, (_, r) in enumerate(REFUSALS)]
)
async def test_unknown_caller_gets_401_a_challenge_and_a_reason(
    app: GuardedApp, headers: Callable[[], Any], reason: RefusalReason
) -> None:
    with capture_logs() as lines:
        answer = await app.call("GET", "/things/7", headers())
    body = answer.json()
    assert (answer.status_code, body["reason"]) == (401, reason)
    assert body["type"] == f"urn:plumbline:problem:{reason.replace('_', '-')}"
    assert answer.headers["content-type"].startswith("application/problem+json")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="plumbline"')
    assert ('error="invalid_token"' in challenge) == (reason is not RefusalReason.TOKEN_MISSING)
    assert app.refused(reason) == 1
    (line,) = refusals(lines)
    assert (line["event"], line["reason"], line["actor"]) == ("access refused", reason, None)
    assert line["route"] == "GET /things/{thing_id}"
    assert line["remote_address"] == "127.0.0.1"


async def test_no_token_is_ever_logged_or_answered(app: GuardedApp) -> None:
    secret = token("viewer", seconds=-60)
    with capture_logs() as lines:
        answer = await app.call("GET", "/things", bearer(secret))
    seen = f"{lines} {answer.text} {answer.headers}"
    assert not any(part in seen for part in secret.split("."))


@pytest.mark.parametrize("roles", [(), ("viewer",), ("finance", "somebody-elses")])
async def test_known_caller_without_the_role_gets_403_and_is_told_which(
    app: GuardedApp, roles: tuple[str, ...]
) -> None:
    with capture_logs() as lines:
        answer = await app.call("POST", "/things", bearer(token(*roles)))
    assert (answer.status_code, answer.json()["reason"]) == (403, "role_missing")
    assert answer.json()["detail"] == "one of these roles is needed: operator"
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert [(line["reason"], line["actor"]) for line in refusals(lines)] == [("role_missing", "ana")]
    assert app.refused("role_missing") == 1


async def test_token_without_any_role_reads_nothing(app: GuardedApp) -> None:
    assert (await app.call("GET", "/things", bearer(token()))).status_code == 403


@pytest.mark.parametrize(("method", "path"), [("GET", "/forgotten"), ("OPTIONS", "/things")])
async def test_route_that_states_no_role_opens_for_nobody(app: GuardedApp, method: str, path: str) -> None:
    answer = await app.call(method, path, bearer(token("viewer", "operator", "finance")))
    assert (answer.status_code, answer.json()["reason"]) == (403, "route_without_role")


async def test_document_names_scheme_roles_and_refusals(app: GuardedApp) -> None:
    async with calling(app.app) as client:
        document = (await client.get("/schema/openapi.json")).json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    operation = document["paths"]["/things"]["post"]
    assert operation["security"] == [{"bearer": ["operator"]}]
    assert {"201", "401", "403"} <= operation["responses"].keys()
    assert "security" not in document["paths"]["/health/live"]["get"]


WRONG_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"auth_jwt_issuer": None}, "AUTH_JWT_ISSUER is not set"),
    ({"auth_jwt_audience": None}, "AUTH_JWT_AUDIENCE is not set"),
    ({"auth_jwt_key": None}, "exactly one of AUTH_JWKS_URL and AUTH_JWT_KEY"),
    ({"auth_jwks_url": "https://login.example.com/keys", "auth_jwt_key": SECRET}, "exactly one of"),
    ({"auth_jwt_key": "x" * 31}, "at least 32 bytes"),
    ({"auth_jwks_url": "file:///etc/passwd"}, "expected an address"),
    ({"auth_jwks_url": "https://ana:word@login.example.com/keys"}, "without a password"),
    ({"auth_jwks_url": "https://login.example.com:99999/keys"}, "a port from 1 to 65535"),
    ({"auth_jwks_url": "https://login.example.com:0/keys"}, "a port from 1 to 65535"),
    ({"auth_jwks_url": "https://[::1/keys"}, "expected an address"),
    ({"auth_jwks_url": "http://login.example.com/keys", "environment": "production"}, "not https"),
    ({"auth_jwt_roles_claim": "realm_access..roles"}, "expected a claim such as"),
    ({"auth_jwt_issuer": " https://login.example.com"}, "spaces or quotation marks"),
    ({"auth_jwt_audience": '"plumbline"'}, "spaces or quotation marks"),
    ({"auth_mode": "on"}, "auth_mode"),
]


@pytest.mark.parametrize(("changed", "message"), WRONG_SETTINGS)
def test_settings_that_cannot_judge_a_token_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        jwt_settings(**changed)


@pytest.mark.parametrize(
    "variable", ["auth_jwt_issuer", "auth_jwt_audience", "auth_jwks_url", "auth_jwt_key"]
)
def test_described_tokens_without_a_mode_are_refused_and_off_in_words_is_not(variable: str) -> None:
    value = {"auth_jwt_key": SECRET}.get(variable, "https://login.example.com")
    with pytest.raises(ValidationError, match=f"{variable.upper()} is set and AUTH_MODE is not"):
        AuthSettings.model_validate({variable: value})
    assert AuthSettings.model_validate({variable: value, "auth_mode": "off"}).auth_mode == "off"


def test_settings_with_one_kind_of_key_are_good() -> None:
    assert jwt_settings().auth_jwt_audience == AUDIENCE
    url = "https://login.example.com/keys"
    assert jwt_settings(auth_jwks_url=url, environment="production").auth_jwks_url == url
