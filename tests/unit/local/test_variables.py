"""A process of the embedded stack receives the variables it reads, and imports no foreign module."""

import importlib
import inspect
import os
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from harness.processes import run
from plumbline import variables
from plumbline.services import SERVICES, Service

GATEWAY = SERVICES[0]
SECRETS = {
    "STRIPE_WEBHOOK_SECRET": "webhook-gateway",
    "QUO_WEBHOOK_SECRET_FILE": "webhook-gateway",
    "BOOKING_POSTGRES_DSN": "booking",
    "AUDIT_POSTGRES_DSN": "audit",
    "AUDIT_SIGNING_KEY_FILE": "audit",
    "RECONCILER_POSTGRES_DSN": "reconciler",
    "RECONCILER_BOOKING_VIEW_DSN": "reconciler",
}
UNUSED = (
    "POSTGRES_ADMIN_DSN",
    "BOOKING_MIGRATIONS_DSN",
    "AUDIT_ERASER_POSTGRES_DSN",
    "CONSOLE_SESSION_KEY",
    "AWS_SECRET_KEY",
    "PYTHONPATH",
)


@pytest.mark.parametrize(("name", "owner"), SECRETS.items())
def test_secret_reaches_the_one_service_that_reads_it(name: str, owner: str) -> None:
    holders = [service.name for service in SERVICES if name in variables.for_service(service, {name: "x"})]
    assert holders == [owner]
    assert name not in {**variables.for_migration({name: "x"}), **variables.for_kafka({name: "x"})}


def test_key_of_tokens_reaches_the_three_that_verify_tokens() -> None:
    environ = {"AUTH_JWT_KEY": "x"}
    assert [s.name for s in SERVICES if variables.for_service(s, environ)] == [
        "booking",
        "audit",
        "reconciler",
    ]


def test_key_of_stripes_api_reaches_the_two_that_ask_stripe() -> None:
    environ = {"STRIPE_API_KEY": "x"}
    assert [s.name for s in SERVICES if variables.for_service(s, environ)] == ["booking", "reconciler"]


@pytest.mark.parametrize("name", UNUSED)
def test_other_variables_reach_nobody(name: str) -> None:
    assert not any(variables.for_service(service, {name: "x"}) for service in SERVICES)


def test_secrets_of_further_sources_reach_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    path.write_text('[[sources.acme.accept]]\nscheme = "github"\nsecret_variable = "ACME_TOKEN"\n')
    environ = {"WEBHOOK_SOURCES_FILE": str(path), "ACME_TOKEN": "x", "ACME_TOKEN_FILE": "y", "OTHER": "z"}
    assert variables.for_service(GATEWAY, environ) == {n: v for n, v in environ.items() if n != "OTHER"}
    assert variables.for_service(GATEWAY, {"WEBHOOK_SOURCES_FILE": "/nowhere"}).keys() == {
        "WEBHOOK_SOURCES_FILE"
    }


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_service_gets_every_variable_that_its_settings_read(service: Service) -> None:
    module = importlib.import_module(f"{service.package}.settings")
    classes = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, BaseSettings)]
    read = {field.upper() for settings in classes for field in settings.model_fields}
    if service is GATEWAY:  # verifies signatures, not tokens
        read = {name for name in read if not name.startswith("AUTH_")}
    passed = variables.for_service(service, dict.fromkeys(read, "x"))
    assert read - passed.keys() - set(UNUSED) == set()


async def test_module_of_the_callers_path_or_directory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "booking.py").write_text('print("foreign booking")')
    monkeypatch.chdir(tmp_path)
    environ = variables.for_service(SERVICES[1], {**os.environ, "PYTHONPATH": str(tmp_path)})
    finished = await run([*SERVICES[1].command("migrate"), "--help"], environ)
    assert "foreign booking" not in finished.stdout
    assert (finished.exit_code, "booking_owner" in finished.stdout) == (0, True), finished
