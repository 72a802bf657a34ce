"""What booking reads from its environment."""

from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from chassis.addresses import Dsn
from chassis.inbox_retention import InboxSettings
from chassis.settings import ServiceSettings


class BookingSettings(InboxSettings):
    """Settings of booking, besides those of every service."""

    booking_postgres_dsn: Dsn
    booking_host: str = "127.0.0.1"
    booking_port: int = Field(8081, ge=1, le=65535)
    business_time_zone: str = Field(
        "America/Chicago", description="IANA zone whose calendar counts nights and holidays"
    )

    @field_validator("business_time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("no IANA time zone, such as America/Chicago") from error
        return name


class OfflineSettings(ServiceSettings):
    """Enough for the commands that only look at booking's own database."""

    kafka_bootstrap: str = ""
    booking_postgres_dsn: Dsn
