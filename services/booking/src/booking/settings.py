"""Settings of booking."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from booking.adapters.phone_numbers import COUNTRIES
from chassis.messaging.inbox_retention import InboxSettings
from chassis.process.addresses import Dsn
from chassis.settings import ServiceSettings, TimeZoneName
from contracts.stripe_events import StripeWorld, stripe_world
from contracts.stripe_keys import check_key

SERVICE = "booking"


def _known_country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError(f"{code!r} is no ISO 3166 country code; write one such as US")
    return code


CountryCode = Annotated[str, AfterValidator(_known_country)]
"""ISO 3166 alpha-2 code of a country with a telephone numbering plan."""


class StripeSettings(ServiceSettings):
    """Mode and account whose Stripe events are applied (BK-7a)."""

    stripe_mode: Literal["live", "test"] | None = Field(
        None, description="events of this mode count; unset: live in production, else test"
    )
    stripe_account: str | None = Field(
        None,
        pattern="^acct_[A-Za-z0-9]+$",
        description="our own account, where events of connected ones come too",
    )

    stripe_api_key: SecretStr | None = Field(
        None,
        description="secret or restricted key that may read payments; unset: thin events are reported,"
        " not fetched",
    )
    stripe_api_base: str = Field(
        "https://api.stripe.com", pattern="^https?://", description="address of Stripe's API"
    )

    @model_validator(mode="after")
    def _key_fits_mode(self) -> Self:
        if self.stripe_api_key is not None:
            check_key(self.stripe_api_key.get_secret_value(), is_live=self.stripe_world.is_live)
        return self

    @property
    def stripe_world(self) -> StripeWorld:
        return stripe_world(self.stripe_mode, self.stripe_account, self.environment)


class PhoneSettings(ServiceSettings):
    """Country whose numbering plan reads phone numbers without a country's code (BK-16)."""

    business_country: CountryCode = Field("US", description="ISO 3166 alpha-2 code, such as US")


_BusinessTimeZone = Annotated[
    TimeZoneName, Field(description="IANA zone whose calendar counts nights and holidays")
]
_BUSINESS_TIME_ZONE = "America/Chicago"


class BusinessSettings(BaseSettings):
    """Settings of the commands that need neither database nor broker."""

    model_config = ServiceSettings.model_config

    business_time_zone: _BusinessTimeZone = _BUSINESS_TIME_ZONE


class BookingSettings(InboxSettings, StripeSettings, PhoneSettings):
    """Settings that `booking serve` reads."""

    booking_postgres_dsn: Dsn
    booking_host: str = "127.0.0.1"
    booking_port: int = Field(8081, ge=1, le=65535)
    business_time_zone: _BusinessTimeZone = _BUSINESS_TIME_ZONE


class OfflineSettings(StripeSettings, PhoneSettings):
    """Settings of the commands that need booking's database and no broker."""

    kafka_bootstrap: str = ""
    booking_postgres_dsn: Dsn
