"""Stripe's API: fetches objects that thin events name. The only caller of `stripe` (decision 0045)."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, cast

import stripe

from booking.domain.thin_events import FetchLaterError, FetchRefusedError
from contracts.stripe_events import JsonObject

REQUEST_SECONDS_MAX = 8.0
"""Time limit of one request, and so of the wait when the service stops."""

PATHS: Mapping[str, str] = {
    "payment_intent": "/v1/payment_intents",
    "checkout.session": "/v1/checkout/sessions",
    "invoice": "/v1/invoices",
    "invoice_payment": "/v1/invoice_payments",
    "charge": "/v1/charges",
    "refund": "/v1/refunds",
    "dispute": "/v1/disputes",
}
"""Path by type of object (docs.stripe.com/api)."""

_CLIENT_ERRORS = (400, 500)
# A refused key affects all events until it is replaced; no single event is to blame.
_TRANSIENT = (401, 408, 409, 425, 429)
_REASONS: Mapping[int, str] = {
    401: "Stripe refused STRIPE_API_KEY ({status}); set a valid key",
    403: "STRIPE_API_KEY may not read {object_type} ({status}); give the key the right to read it",
    404: "Stripe has no such {object_type} in the account and mode of STRIPE_API_KEY ({status})",
    429: "Stripe refused because of too many requests ({status})",
}


class StripeObjects:
    """Objects of Stripe's API. The caller repeats a failed request, so the client does not.

    Args:
        api_key: secret or restricted key.
        base: of the API, such as https://api.stripe.com.
    """

    def __init__(self, api_key: str, base: str) -> None:
        # The package reports durations of requests to Stripe unless this is off, for all clients alike.
        stripe.enable_telemetry = False
        # It logs each request and Stripe's texts about errors; the job logs what became of each event.
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self._http = stripe.HTTPXClient(timeout=REQUEST_SECONDS_MAX)
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base.rstrip("/")},
            http_client=self._http,
            max_network_retries=0,
        )

    async def fetch(self, object_type: str, object_id: str) -> JsonObject:
        """Return an object as it is now.

        Raises:
            FetchLaterError: no answer, too many requests, a failure of Stripe, or a refused key.
            FetchRefusedError: Stripe does not know the object or does not show it.
        """
        client: Any = self._client  # the package types the answer as StripeObject, but it is StripeResponse
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                answer = await client.raw_request_async("get", f"{PATHS[object_type]}/{object_id}")
        except TimeoutError as error:
            raise FetchLaterError(f"Stripe did not answer within {REQUEST_SECONDS_MAX:g} s") from error
        except stripe.StripeError as error:
            raise _explain(error, object_type) from error
        data = answer.data
        if not isinstance(data, dict) or cast("JsonObject", data).get("id") != object_id:
            raise FetchLaterError("Stripe answered with something else than the object")
        return cast("JsonObject", data)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()


def _explain(error: stripe.StripeError, object_type: str) -> FetchLaterError | FetchRefusedError:
    """Return the error for a failed request. Stripe's own text may name the key or values: it is left out."""
    status = error.http_status
    if status is None:
        return FetchLaterError("Stripe could not be reached; check the network and STRIPE_API_BASE")
    reason = _REASONS.get(status, "Stripe did not answer the request ({status})")
    is_transient = status in _TRANSIENT or not _CLIENT_ERRORS[0] <= status < _CLIENT_ERRORS[1]
    kind = FetchLaterError if is_transient else FetchRefusedError
    return kind(reason.format(status=status, object_type=object_type))
