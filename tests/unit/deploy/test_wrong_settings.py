"""A wrong address is one line that names its variable, whatever command reads it (ALL-3)."""

import os

import pytest

from harness.processes import run_program
from plumbline import dsn

pytestmark = pytest.mark.slow  # starts a process for each case

DSN = "postgresql://booking:4711@127.0.0.1:1/booking"
WRONG_DSN = "postgresql://booking:4711@127.0.0.1:abc/booking"
UNCLOSED = "postgresql://booking:4711@[::1/booking"

SERVE = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "BOOKING_POSTGRES_DSN": DSN}
DEPLOYMENT = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    dsn.ADMIN_VARIABLE: "postgresql://postgres:4711@127.0.0.1:1/postgres",
    **{
        dsn.service_variable(service): f"postgresql://{service}:4711@127.0.0.1:1/{service}"
        for service in ("booking", "audit", "reconciler")
    },
    dsn.VIEWER_VARIABLE: f"postgresql://{dsn.VIEWER}:4711@127.0.0.1:1/booking",
}

PRODUCTION = {"ENVIRONMENT": "production", "KAFKA_BOOTSTRAP": "127.0.0.1:1"}
GATEWAY = {**PRODUCTION, "ENABLE_WEBHOOK_VALIDATION": "true"}
STRIPE = "whsec_for_development_only_not_a_secret"
QUO = "whsec_Zm9yIGRldmVsb3BtZW50IG9ubHksIG5vdCBhIHNlY3JldA=="
OWN = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
PUBLISHED_DSN = "postgresql://anybody:development@127.0.0.1:1/4711"

# command, variables that are right, those that are wrong, the variable that the line names
WRONG: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    (
        "booking serve",
        SERVE,
        {"KAFKA_SSL_CAFILE": "/nope", "KAFKA_SECURITY_PROTOCOL": "SSL"},
        "KAFKA_SSL_CAFILE",
    ),
    ("booking serve", SERVE, {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "KAFKA_SASL_USERNAME"),
    ("booking serve", SERVE, {"KAFKA_BOOTSTRAP": "host:abc"}, "KAFKA_BOOTSTRAP"),
    ("booking serve", SERVE, {"BOOKING_POSTGRES_DSN": WRONG_DSN}, "BOOKING_POSTGRES_DSN"),
    ("booking migrate", {}, {"BOOKING_MIGRATIONS_DSN": WRONG_DSN}, "BOOKING_MIGRATIONS_DSN"),
    ("booking migrate", {}, {"BOOKING_MIGRATIONS_DSN": UNCLOSED}, "BOOKING_MIGRATIONS_DSN"),
    ("booking dead-letters list", {}, {"BOOKING_POSTGRES_DSN": UNCLOSED}, "BOOKING_POSTGRES_DSN"),
    ("booking outbox status", {}, {"BOOKING_POSTGRES_DSN": WRONG_DSN}, "BOOKING_POSTGRES_DSN"),
    ("reconciler runs", {}, {"RECONCILER_POSTGRES_DSN": WRONG_DSN}, "RECONCILER_POSTGRES_DSN"),
    ("audit export", {}, {"AUDIT_POSTGRES_DSN": UNCLOSED}, "AUDIT_POSTGRES_DSN"),
    ("plumbline topics apply", DEPLOYMENT, {"KAFKA_SSL_CAFILE": "/nope"}, "KAFKA_SSL_CAFILE"),
    ("plumbline topics apply", DEPLOYMENT, {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_USERNAME"),
    ("plumbline topics apply", DEPLOYMENT, {"KAFKA_BOOTSTRAP": "host:abc"}, "KAFKA_BOOTSTRAP"),
    ("plumbline databases apply", DEPLOYMENT, {dsn.ADMIN_VARIABLE: UNCLOSED}, dsn.ADMIN_VARIABLE),
    ("plumbline databases apply", DEPLOYMENT, {"AUDIT_POSTGRES_DSN": UNCLOSED}, "AUDIT_POSTGRES_DSN"),
    ("plumbline doctor", DEPLOYMENT, {dsn.ADMIN_VARIABLE: WRONG_DSN}, dsn.ADMIN_VARIABLE),
    ("plumbline doctor", DEPLOYMENT, {"KAFKA_BOOTSTRAP": "host:abc"}, "KAFKA_BOOTSTRAP"),
    ("webhook_gateway serve", GATEWAY, {"STRIPE_WEBHOOK_SECRET": f'"{OWN}"'}, "STRIPE_WEBHOOK_SECRET"),
    ("webhook_gateway sources", GATEWAY, {"QUO_WEBHOOK_SECRET": f"sk_{OWN}4711"}, "QUO_WEBHOOK_SECRET"),
    (
        "webhook_gateway serve",
        GATEWAY,
        {"WEBHOOK_GATEWAY_INTERNAL_PORT": "8080"},
        "WEBHOOK_GATEWAY_INTERNAL_PORT",
    ),
    ("webhook_gateway serve", GATEWAY, {"STRIPE_WEBHOOK_SECRET": STRIPE}, "STRIPE_WEBHOOK_SECRET"),
    ("webhook_gateway sources", GATEWAY, {"QUO_WEBHOOK_SECRET": f"{OWN},v1,{QUO}"}, "QUO_WEBHOOK_SECRET"),
    ("booking serve", PRODUCTION, {"BOOKING_POSTGRES_DSN": PUBLISHED_DSN}, "BOOKING_POSTGRES_DSN"),
    (
        "booking dead-letters list",
        PRODUCTION,
        {"BOOKING_POSTGRES_DSN": PUBLISHED_DSN},
        "BOOKING_POSTGRES_DSN",
    ),
    ("audit serve", PRODUCTION, {"AUDIT_POSTGRES_DSN": PUBLISHED_DSN}, "AUDIT_POSTGRES_DSN"),
    (
        "reconciler serve",
        {**PRODUCTION, "RECONCILER_POSTGRES_DSN": DSN},
        {"RECONCILER_BOOKING_VIEW_DSN": PUBLISHED_DSN},
        "RECONCILER_BOOKING_VIEW_DSN",
    ),
    (
        "reconciler serve",
        {**SERVE, "RECONCILER_POSTGRES_DSN": DSN, "RECONCILER_BOOKING_VIEW_DSN": DSN, "STRIPE_MODE": "test"},
        {"STRIPE_API_KEY": "rk_live_4711"},
        "STRIPE_API_KEY",
    ),
    ("booking migrate", PRODUCTION, {"BOOKING_MIGRATIONS_DSN": PUBLISHED_DSN}, "BOOKING_MIGRATIONS_DSN"),
    (
        "plumbline databases apply",
        {**DEPLOYMENT, **PRODUCTION},
        {"AUDIT_POSTGRES_DSN": "postgresql://audit:development@127.0.0.1:1/audit"},
        "AUDIT_POSTGRES_DSN",
    ),
]


@pytest.mark.parametrize(("command", "right", "wrong", "variable"), WRONG)
async def test_wrong_address_is_one_line_that_names_its_variable(
    tmp_path_factory: pytest.TempPathFactory,
    command: str,
    right: dict[str, str],
    wrong: dict[str, str],
    variable: str,
) -> None:
    module, *arguments = command.split()
    environment = {
        "PATH": os.environ["PATH"],
        "PLUMBLINE_STATE": str(tmp_path_factory.mktemp("state") / "no-stack-here"),
        **right,
        **wrong,
    }
    finished = await run_program(module, arguments, environment)
    assert (finished.exit_code, finished.stdout, finished.stderr.count("\n")) == (2, "", 1), finished
    assert variable in finished.stderr
    assert "4711" not in finished.stderr
