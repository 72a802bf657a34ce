"""Settings of the reconciler."""

from datetime import timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, model_validator

from chassis.messaging.inbox_retention import InboxSettings
from chassis.process.addresses import Dsn
from chassis.settings import ServiceSettings, TimeZoneName
from contracts.stripe_events import stripe_world
from contracts.stripe_keys import check_key
from reconciler.domain.classify import Severity
from reconciler.domain.clocks import Targets
from reconciler.domain.rules import Rules
from reconciler.domain.schedule import check_cron

SERVICE = "reconciler"

_Hours = Annotated[int, Field(ge=1, le=24 * 365)]


class QueueSettings(ServiceSettings):
    """Hours within which people acknowledge and resolve an exception, by severity; when two resolve it."""

    reconciler_acknowledge_hours_high: _Hours = 4
    reconciler_acknowledge_hours_medium: _Hours = 24
    reconciler_acknowledge_hours_low: _Hours = 72
    reconciler_resolve_hours_high: _Hours = 24
    reconciler_resolve_hours_medium: _Hours = 72
    reconciler_resolve_hours_low: _Hours = 240
    reconciler_second_person_above: int | None = Field(
        None,
        ge=0,
        le=100_000_000_000,
        description="hundredths of the currency's unit; a larger difference needs a second person (REC-9)",
    )

    @property
    def targets(self) -> Targets:
        return Targets(
            acknowledge=_by_severity(
                self.reconciler_acknowledge_hours_high,
                self.reconciler_acknowledge_hours_medium,
                self.reconciler_acknowledge_hours_low,
            ),
            resolve=_by_severity(
                self.reconciler_resolve_hours_high,
                self.reconciler_resolve_hours_medium,
                self.reconciler_resolve_hours_low,
            ),
        )


class SweepSettings(ServiceSettings):
    """Settings of the Stripe sweep (REC-13); it is off without a key."""

    stripe_mode: Literal["live", "test"] | None = Field(
        None, description="mode of the key; unset: live in production, else test"
    )
    stripe_api_key: SecretStr | None = Field(
        None,
        description="secret or restricted key that may read events, payment intents, charges and refunds;"
        " unset: no sweep",
    )
    stripe_api_base: str = Field(
        "https://api.stripe.com", pattern="^https?://", description="address of Stripe's API"
    )
    reconciler_sweep_cron: Annotated[str, AfterValidator(check_cron)] = "0 4 * * *"

    @model_validator(mode="after")
    def _key_fits_mode(self) -> Self:
        if self.stripe_api_key is not None:
            is_live = stripe_world(self.stripe_mode, None, self.environment).is_live
            check_key(self.stripe_api_key.get_secret_value(), is_live=is_live)
        return self


class ReconcilerSettings(InboxSettings, QueueSettings, SweepSettings):
    """Settings that `reconciler serve` reads."""

    reconciler_host: str = "127.0.0.1"
    reconciler_port: int = Field(8083, ge=1, le=65535)
    reconciler_postgres_dsn: Dsn
    reconciler_booking_view_dsn: Dsn
    business_time_zone: TimeZoneName = "America/Chicago"
    reconciler_cron: Annotated[str, AfterValidator(check_cron)] = "0 2 * * *"
    reconciler_missed_slot_hours: int = Field(
        24,
        ge=1,
        le=24 * 7,
        description="a scheduled run that no process requested is made up for within this time (REC-1)",
    )
    reconciler_drift_cents_min: int = Field(
        2,
        ge=1,
        le=1_000_000,
        description="hundredths of the currency's unit; drift is flagged from this size on (REC-4)",
    )
    reconciler_grace_hours: int = Field(24, ge=0, le=24 * 365, description="time for a first charge (REC-5)")

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of the schedule."""
        return ZoneInfo(self.business_time_zone)

    @property
    def lateness(self) -> timedelta:
        return timedelta(hours=self.reconciler_missed_slot_hours)

    @property
    def rules(self) -> Rules:
        return Rules(self.reconciler_drift_cents_min, timedelta(hours=self.reconciler_grace_hours))


class ViewSettings(ServiceSettings):
    """Settings of the command that only reads booking's view."""

    kafka_bootstrap: str = ""
    reconciler_booking_view_dsn: Dsn
    business_time_zone: TimeZoneName = "America/Chicago"

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of the business."""
        return ZoneInfo(self.business_time_zone)


class OfflineSettings(QueueSettings):
    """Settings of the commands that need the reconciler's database and no broker."""

    kafka_bootstrap: str = ""
    reconciler_postgres_dsn: Dsn


def _by_severity(high: int, medium: int, low: int) -> dict[Severity, timedelta]:
    return {"high": timedelta(hours=high), "medium": timedelta(hours=medium), "low": timedelta(hours=low)}
