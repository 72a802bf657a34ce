"""Settings from the environment, validated at start (ALL-3).

The variable of a field is its name in capitals. `<NAME>_FILE` names a file that holds the value instead, for
secrets that are mounted as files. A missing or wrong variable is reported in one line.
"""

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from chassis.auth.settings import AuthSettings
from chassis.kafka.settings import KafkaSettings
from chassis.process.environment import FileSource
from chassis.process.hosts import LOOPBACK_ONLY, AllowedHosts, parse_hosts
from chassis.process.published_secrets import find_published


def _hosts(value: object) -> object:
    return parse_hosts(value) if isinstance(value, str) else value


def _secret_text(value: object) -> str | None:
    """Return the text of a value that may hold a secret: a `SecretStr` or a connection string."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value if isinstance(value, str) and "://" in value else None


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone; write one such as America/Chicago") from error
    return name


TimeZoneName = Annotated[str, AfterValidator(_known_zone)]
"""Name of a zone of the IANA database."""


class ServiceSettings(AuthSettings, KafkaSettings, BaseSettings):
    """Settings of every service. A service's own settings inherit from this class."""

    model_config = SettingsConfigDict(
        case_sensitive=False, extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_messages: Literal["all", "failed"] = Field(
        "all", description="which handled messages are logged: all, or those that were set aside"
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="base URL of an OTLP/HTTP collector; unset: nothing is exported",
    )
    http_hosts: Annotated[AllowedHosts, NoDecode, BeforeValidator(_hosts)] = Field(
        LOOPBACK_ONLY,
        description="comma-separated host names that HTTP accepts besides loopback; * accepts any",
    )
    require_if_match: bool = Field(
        default=False, description="refuse a change without If-Match (428), so that none is overwritten"
    )
    start_seconds_max: int = Field(120, ge=1, le=3600, description="exit if not started within this time")
    stop_seconds_max: int = Field(15, ge=1, le=300, description="time limit of a graceful stop")

    @model_validator(mode="after")
    def _production_has_secrets_of_its_own(self) -> Self:
        values = {name.upper(): _secret_text(getattr(self, name)) for name in type(self).model_fields}
        if self.environment == "production" and (refusal := find_published(values)):
            raise ValueError(refusal)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then variables, then `_FILE` variables; never a dotenv file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, FileSource(settings_cls)
