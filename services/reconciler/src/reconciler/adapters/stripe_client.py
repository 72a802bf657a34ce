"""Stripe's API for the sweep: pages of lists, and single objects (docs.stripe.com/api)."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import stripe

from contracts.stripe_events import JsonObject
from reconciler.domain.stripe_pages import Listed, Position
from reconciler.domain.sweeps import ObjectType, SweepDelayedError, SweepRefusedError

REQUEST_SECONDS_MAX = 15.0
PAGE_OBJECTS_MAX = 100
"""Most objects that Stripe returns in one page."""
TYPES_MAX = 20
"""Most event types that one request may name."""

PATHS: Mapping[str, str] = {
    "event": "/v1/events",
    "payment_intent": "/v1/payment_intents",
    "charge": "/v1/charges",
    "refund": "/v1/refunds",
}

_OBJECT_ID = re.compile("[A-Za-z0-9_-]{1,255}")
_NOT_FOUND = 404
_CLIENT_ERRORS = (400, 500)
# A request that another request disturbed, or that came too early or too often.
_TRANSIENT = (408, 409, 425, 429)
_RETRY_AFTER_SECONDS_MAX = 3_600.0
_REASONS: Mapping[int, str] = {
    401: "Stripe refused STRIPE_API_KEY (401); set a valid key",
    403: "STRIPE_API_KEY may not read {path} (403); give the key the right to read it",
    429: "Stripe refused because of too many requests (429)",
}


@dataclass(frozen=True, slots=True)
class StripePage:
    """Objects of one page, newest first. Objects without a usable id or time are left out."""

    objects: Sequence[JsonObject]
    listed: Sequence[Listed]
    has_more: bool


class StripeLists:
    """Lists of Stripe's API. The caller repeats a failed request, so the client does not.

    Attributes:
        requests: number of requests that were sent.

    Args:
        api_key: secret or restricted key.
        base: of the API, such as https://api.stripe.com.
    """

    def __init__(self, api_key: str, base: str) -> None:
        # The package reports durations of requests to Stripe unless this is off, for all clients alike.
        stripe.enable_telemetry = False
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self.requests = 0
        self._http = stripe.HTTPXClient(timeout=REQUEST_SECONDS_MAX)
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base.rstrip("/")},
            http_client=self._http,
            max_network_retries=0,
        )

    async def page(
        self, object_type: ObjectType, position: Position, *, since: int, types: Sequence[str] = ()
    ) -> StripePage:
        """Return the page of a list at a position.

        Args:
            object_type: which list.
            position: where the page starts.
            since: creation of the oldest object, in seconds since the epoch.
            types: of events; at most `TYPES_MAX`.

        Raises:
            SweepDelayedError: no answer, too many requests, or a failure of Stripe.
            SweepRefusedError: Stripe refuses the key or the request.
        """
        created = {"gte": since, "lte": position.reached}
        parameters: dict[str, Any] = {"limit": PAGE_OBJECTS_MAX, "created": created}
        if types:
            parameters["types"] = list(types)
        if position.after is not None:
            parameters["starting_after"] = position.after
        answer = await self._get(PATHS[object_type], parameters)
        data: object = answer.get("data")
        if not isinstance(data, list):
            raise SweepDelayedError(f"Stripe answered {PATHS[object_type]} with something else than a list")
        usable = [(item, listed) for item in cast("list[Any]", data) if (listed := _listed(item)) is not None]
        objects, places = [item for item, _ in usable], [listed for _, listed in usable]
        return StripePage(objects, places, answer.get("has_more") is True)

    async def fetch(self, object_type: ObjectType, object_id: str) -> JsonObject | None:
        """Return an object as it is now; None if Stripe does not know it.

        Raises:
            SweepDelayedError: no answer, too many requests, or a failure of Stripe.
            SweepRefusedError: Stripe refuses the key or the request.
        """
        try:
            return await self._get(f"{PATHS[object_type]}/{object_id}", {})
        except SweepRefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()

    async def _get(self, path: str, parameters: dict[str, Any]) -> JsonObject:
        self.requests += 1
        client: Any = self._client  # the package types the answer as StripeObject, but it is StripeResponse
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                answer = await client.raw_request_async("get", path, **parameters)
        except TimeoutError as error:
            raise SweepDelayedError(f"Stripe did not answer within {REQUEST_SECONDS_MAX:g} s") from error
        except stripe.StripeError as error:
            raise _explain(error, path) from error
        data = answer.data
        if not isinstance(data, dict):
            raise SweepDelayedError(f"Stripe answered {path} with something else than an object")
        return cast("JsonObject", data)


def _listed(item: object) -> Listed | None:
    if not isinstance(item, dict):
        return None
    members = cast("JsonObject", item)
    identifier, created = members.get("id"), members.get("created")
    if type(created) is not int or not isinstance(identifier, str) or not _OBJECT_ID.fullmatch(identifier):
        return None
    return Listed(identifier, created)


def _explain(error: stripe.StripeError, path: str) -> SweepDelayedError | SweepRefusedError:
    """Return the error for a failed request. Stripe's own text may name the key or values: it is left out."""
    status = error.http_status
    if status is None:
        return SweepDelayedError("Stripe could not be reached; check the network and STRIPE_API_BASE")
    reason = _REASONS.get(status, "Stripe answered {path} with status {status}").format(
        path=path.removeprefix("/v1/").partition("/")[0], status=status
    )
    if status in _TRANSIENT or not _CLIENT_ERRORS[0] <= status < _CLIENT_ERRORS[1]:
        return SweepDelayedError(reason, retry_after_seconds=_retry_after(error))
    return SweepRefusedError(reason, status=status)


def _retry_after(error: stripe.StripeError) -> float:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    text = headers.get("retry-after", "")
    return min(float(text), _RETRY_AFTER_SECONDS_MAX) if text.isascii() and text.isdigit() else 0.0
