"""Settings from the environment, validated at start (ALL-3).

A field's name in capitals is its variable. Every field can also be given as `<NAME>_FILE`, a path whose
content is the value (for secrets mounted as files). A missing or wrong variable is one clear line.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from chassis.auth.settings import AuthSettings
from chassis.kafka.settings import KafkaSettings
from chassis.process.environment import FileSource
from chassis.process.hosts import LOOPBACK_ONLY, AllowedHosts, parse_hosts
from chassis.process.published_secrets import find_published


def _hosts(value: object) -> object:
    return parse_hosts(value) if isinstance(value, str) else value


def _secret_text(value: object) -> str | None:
    """Return what may hold a secret: a secret, or a connection string with its password."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value if isinstance(value, str) and "://" in value else None


class ServiceSettings(AuthSettings, KafkaSettings, BaseSettings):
    """What every service reads. A service's own settings inherit from this."""

    model_config = SettingsConfigDict(
        case_sensitive=False, extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_messages: Literal["all", "failed"] = Field(
        "all", description="which handled messages get a line: every one, or those that were set aside"
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None, pattern="^https?://", description="base URL of an OTLP/HTTP collector; unset exports nothing"
    )
    http_hosts: Annotated[AllowedHosts, NoDecode, BeforeValidator(_hosts)] = Field(
        LOOPBACK_ONLY,
        description="comma-separated host names under which HTTP answers besides loopback; * is any",
    )
    start_seconds_max: int = Field(120, ge=1, le=3600, description="give up when not started by then")
    stop_seconds_max: int = Field(15, ge=1, le=300, description="a graceful stop takes no longer")

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
        """Arguments, then variables, then `_FILE` variables; no dotenv file is read behind one's back."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, FileSource(settings_cls)
