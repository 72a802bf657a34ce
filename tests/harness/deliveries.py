"""Signed webhook deliveries to a gateway, in the formats of the providers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from chassis import clock
from plumbline import signing

Body = bytes | Mapping[str, Any]
Signer = Callable[[bytes, str, datetime], signing.Headers]


def _sign_quo(body: bytes, secret: str, at: datetime) -> signing.Headers:
    return signing.sign_quo(body, secret, at, f"msg_{clock.new_id()}")


@dataclass(frozen=True, slots=True)
class Options:
    """Deviations of a delivery from an ordinary one.

    `headers` add or replace headers of the signature; None removes a header. `at` is the time of signing.
    """

    secret: str | None = None
    at: datetime | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    path: str | None = None
    gateway: str | None = None


class Deliver:
    """Signs and sends deliveries. `gateway` returns the base URL at the time of a delivery."""

    def __init__(
        self, http: httpx.AsyncClient, secrets: Mapping[str, str], gateway: Callable[[], str]
    ) -> None:
        self._http = http
        self._secrets = secrets
        self._gateway = gateway

    async def stripe(self, body: Body, **options: Any) -> httpx.Response:
        """Deliver a Stripe webhook. `options` are the fields of `Options`."""
        return await self._send("stripe", signing.sign_stripe, "/webhooks/stripe", body, Options(**options))

    async def sms_legacy(self, body: Body, **options: Any) -> httpx.Response:
        """Deliver an SMS webhook with OpenPhone's signature."""
        return await self._send(
            "sms_legacy", signing.sign_sms_legacy, "/webhooks/sms", body, Options(**options)
        )

    async def quo(self, body: Body, **options: Any) -> httpx.Response:
        """Deliver an SMS webhook with Quo's signature."""
        return await self._send("sms", _sign_quo, "/webhooks/sms", body, Options(**options))

    async def _send(self, key: str, sign: Signer, path: str, body: Body, options: Options) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = sign(content, options.secret or self._secrets[key], options.at or clock.now())
        headers = {"content-type": "application/json", **signed, **options.headers}
        return await self._http.post(
            (options.gateway or self._gateway()) + (options.path or path),
            content=content,
            headers={name: value for name, value in headers.items() if value is not None},
        )
