"""Settings from the environment, and the sources that they configure (GW-6, GW-8)."""

from functools import partial
from typing import Self

from pydantic import Field, model_validator

from chassis.settings import ServiceSettings
from webhook_gateway.domain.source import SMS_IDENTITY, STRIPE_IDENTITY, Source
from webhook_gateway.domain.verification import SCHEMES
from webhook_gateway.settings.secrets import accept
from webhook_gateway.settings.sources_file import read_sources_file

SERVICE = "webhook-gateway"

# The only spelling that switches something on (GW-8): a typo must not weaken or silently change anything.
_ON = "true"


class WebhookSettings(ServiceSettings):
    """Settings of the sources and of their verification."""

    enable_webhook_validation: str = "false"
    allow_unvalidated_webhooks: str = "false"
    webhook_sources_file: str | None = None

    @property
    def validation_enabled(self) -> bool:
        """ENABLE_WEBHOOK_VALIDATION."""
        return self.enable_webhook_validation == _ON


class OfflineSettings(WebhookSettings):
    """Settings of commands that need no broker."""

    kafka_bootstrap: str = ""


class GatewaySettings(WebhookSettings):
    """Settings of `webhook-gateway serve`."""

    webhook_gateway_host: str = "127.0.0.1"
    webhook_gateway_port: int = Field(8080, ge=1, le=65535)
    webhook_gateway_internal_port: int | None = Field(
        None, ge=1, le=65535, description="the only port with metrics, OpenAPI and details of readiness"
    )
    webhook_gateway_internal_host: str | None = Field(
        None, description="where the internal port listens; WEBHOOK_GATEWAY_HOST where unset"
    )
    gateway_ack_seconds_max: int = Field(
        5, ge=1, le=60, description="then 503: never a 2xx for nothing stored"
    )
    gateway_body_bytes_max: int = Field(
        512 * 1024, ge=1, le=1024 * 1024, description="a record holds no more"
    )
    gateway_body_seconds_max: int = Field(
        10, ge=1, le=300, description="a body that takes longer is given up"
    )
    gateway_bodies_bytes_max: int = Field(
        32 * 1024 * 1024, ge=1024 * 1024, description="of all bodies in memory; beyond it 503"
    )
    gateway_in_flight_max: int = Field(1000, ge=1, description="deliveries beyond it are answered 503")
    gateway_refusals_per_minute_max: int = Field(
        60, ge=1, description="published one by one, per source and address (GW-9)"
    )
    gateway_refusals_all_per_minute_max: int = Field(
        600, ge=1, description="published one by one, of all sources and addresses together"
    )
    gateway_proxies_trusted: int = Field(
        0, ge=0, le=10, description="how many proxies in front of us append to X-Forwarded-For"
    )

    @property
    def internal_address(self) -> tuple[str, int] | None:
        """WEBHOOK_GATEWAY_INTERNAL_HOST and _PORT; None where there is no second port."""
        host, port = self.webhook_gateway_internal_host, self.webhook_gateway_internal_port
        return None if port is None else (host or self.webhook_gateway_host, port)

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.webhook_gateway_internal_port == self.webhook_gateway_port:
            raise ValueError("WEBHOOK_GATEWAY_INTERNAL_PORT is WEBHOOK_GATEWAY_PORT too: choose another")
        return self

    @model_validator(mode="after")
    def _production_is_validated(self) -> Self:
        open_door = not self.validation_enabled and self.allow_unvalidated_webhooks != _ON
        if self.environment == "production" and open_door:
            raise ValueError(
                "ENABLE_WEBHOOK_VALIDATION is not true although ENVIRONMENT=production:"
                " set it to true, or ALLOW_UNVALIDATED_WEBHOOKS=true to accept unsigned webhooks on purpose"
            )
        return self


def configured_sources(settings: WebhookSettings) -> dict[str, Source]:
    """Return the sources by name. Deliveries of a source without a secret answer 500.

    Raises:
        SettingsError: a secret that is set cannot be used, or the sources file is wrong; names the variable
            or the key, never a value.
    """
    is_production = settings.environment == "production"
    accept_here = partial(accept, is_production=is_production)
    stripe = accept_here(SCHEMES["stripe"], "STRIPE_WEBHOOK_SECRET")
    legacy = accept_here(SCHEMES["openphone-legacy"], "OPENPHONE_WEBHOOK_SECRET")
    current = accept_here(SCHEMES["standard-webhooks"], "QUO_WEBHOOK_SECRET")
    sources = [
        Source("stripe", (stripe,), STRIPE_IDENTITY, always_verified=True),
        Source("sms", (legacy, current), SMS_IDENTITY, always_verified=False),
    ]
    if settings.webhook_sources_file:
        sources += read_sources_file(settings.webhook_sources_file, is_production=is_production)
    return {source.name: source for source in sources}
