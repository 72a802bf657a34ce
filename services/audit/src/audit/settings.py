"""Settings of audit."""

from typing import Literal

from pydantic import Field

from chassis.process.addresses import Dsn
from chassis.settings import ServiceSettings
from contracts.stripe_events import StripeWorld, stripe_world

SERVICE = "audit"


class AuditSettings(ServiceSettings):
    """Settings that `audit serve` reads."""

    audit_postgres_dsn: Dsn
    audit_host: str = "127.0.0.1"
    audit_port: int = Field(8082, ge=1, le=65535)
    audit_gap_seconds_max: float = Field(300, gt=0)
    stripe_mode: Literal["live", "test"] | None = Field(
        None,
        description="events of the other mode are recorded as skipped; unset: live in production, else test",
    )
    stripe_account: str | None = Field(None, pattern="^acct_[A-Za-z0-9]+$", description="our own account")

    @property
    def stripe_world(self) -> StripeWorld:
        """Mode and account whose Stripe events booking applies (BK-7a)."""
        return stripe_world(self.stripe_mode, self.stripe_account, self.environment)


class OfflineSettings(ServiceSettings):
    """Settings of the commands that need audit's database and no broker."""

    kafka_bootstrap: str = ""
    audit_postgres_dsn: Dsn
