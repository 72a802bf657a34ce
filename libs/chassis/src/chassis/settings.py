"""Settings from the environment, validated at start (ALL-3).

A field's name in capitals is its variable. Every field can also be given as `<NAME>_FILE`, a path whose
content is the value (for secrets mounted as files). A missing or wrong variable is one clear line.
"""

import os
import re
import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnparsableError

from chassis.addresses import Bootstrap
from chassis.auth.settings import AuthSettings
from chassis.published_secrets import find_published
from chassis.web_requests import LOOPBACK_ONLY, AllowedHosts, parse_hosts


class SettingsError(Exception):
    """The environment does not say what this service needs: set the variables it names."""


def read_variable_file(variable: str) -> str | None:
    """Return what stands in the file that `<variable>_FILE` names; None if unset.

    White space around it and a byte order mark before it are no part of it.

    Raises:
        SettingsError: the file cannot be read.
    """
    path = os.environ.get(f"{variable}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}_FILE: cannot read {path}: {type(error).__name__}") from None


class _FileSource(PydanticBaseSettingsSource):
    """Values from the files that `<NAME>_FILE` variables point to."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        variable = field_name.upper()
        if field_name.endswith("_file"):
            return None, field_name, False
        if os.environ.get(variable) and os.environ.get(f"{variable}_FILE"):
            raise SettingsError(f"{variable} and {variable}_FILE are both set: keep one of them")
        return read_variable_file(variable) or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def _holds_certificates(path: str) -> str:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise ValueError(f"no file of PEM certificates that can be read ({type(error).__name__})") from None
    return path


def _hosts(value: object) -> object:
    return parse_hosts(value) if isinstance(value, str) else value


def _secret_text(value: object) -> str | None:
    """Return what may hold a secret: a secret, or a connection string with its password."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value if isinstance(value, str) and "://" in value else None


class ServiceSettings(AuthSettings, BaseSettings):
    """What every service reads. A service's own settings inherit from this."""

    model_config = SettingsConfigDict(
        case_sensitive=False, extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    kafka_bootstrap: Bootstrap
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Annotated[str, AfterValidator(_holds_certificates)] | None = None
    topic_prefix: str = ""
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
    def _login_is_complete(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL"):
            for variable in ("kafka_sasl_username", "kafka_sasl_password"):
                if getattr(self, variable) is None:
                    raise ValueError(
                        f"{variable.upper()} is not set although"
                        f" KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}: no broker would let us in"
                    )
        return self

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
        return init_settings, env_settings, _FileSource(settings_cls)


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Read and validate the environment.

    Raises:
        SettingsError: one line naming every missing or wrong variable, and never a value.
    """
    try:
        return settings_class()
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(detail) for detail in error.errors())) from None
    except UnparsableError as error:
        raise SettingsError(_unparsable(error)) from None


def _unparsable(error: UnparsableError) -> str:
    """A list or table is read as JSON; the library's message names the field, and not the value."""
    field = re.search(r'field "(\w+)"', str(error))
    return f"{field[1].upper()}: not valid JSON" if field else str(error)


def _explain(detail: Any) -> str:
    variable = str(detail["loc"][0]).upper() if detail["loc"] else ""
    if detail["type"] == "missing":
        return f"{variable} is not set (set it, or {variable}_FILE)"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{variable}: {message}" if variable else message
