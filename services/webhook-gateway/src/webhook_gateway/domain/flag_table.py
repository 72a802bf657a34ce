"""The flag table of GW-8 as one pure function, and the HTTP status of each refusal."""

from enum import StrEnum
from functools import cache

import msgspec

from contracts.reasons import RefusalReason
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.verification import Verified


class Verification(StrEnum):
    """Whether an accepted delivery was verified: value of the `plumbline-verification` header."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"


class AcceptedDelivery(msgspec.Struct, frozen=True):
    """A delivery that is accepted.

    Attributes:
        verification: whether it was verified.
        challenge: text to send back, before which the sender sends no events (Slack's handshake).
        unverified_because: reason for which it would have been refused with the flag on.
    """

    verification: Verification
    challenge: str | None = None
    unverified_because: RefusalReason | None = None


class Refusal(msgspec.Struct, frozen=True):
    """A delivery that is refused.

    Attributes:
        reason: from the closed list.
        status: HTTP status. Never 401 for our own fault and never 410 or 3xx: senders drop events or
            disable the endpoint on these.
        on_record: whether it is published to `webhooks.rejected.v1` (GW-9).
    """

    reason: RefusalReason
    status: int
    on_record: bool


# Reasons for which `verify` does not confirm a delivery.
SIGNATURE_REASONS = (
    RefusalReason.SIGNATURE_MISSING,
    RefusalReason.SIGNATURE_MALFORMED,
    RefusalReason.SIGNATURE_MISMATCH,
    RefusalReason.TIMESTAMP_OUTSIDE_WINDOW,
    RefusalReason.SECRET_NOT_CONFIGURED,
)

_STATUS: dict[RefusalReason, int] = {
    RefusalReason.SIGNATURE_MISSING: 401,
    RefusalReason.SIGNATURE_MALFORMED: 401,
    RefusalReason.SIGNATURE_MISMATCH: 401,
    RefusalReason.TIMESTAMP_OUTSIDE_WINDOW: 401,
    RefusalReason.SECRET_NOT_CONFIGURED: 500,
    RefusalReason.BODY_TOO_LARGE: 413,
    RefusalReason.BODY_NOT_JSON: 400,
    RefusalReason.BODY_INCOMPLETE: 408,
    RefusalReason.EVENT_ID_MISSING: 400,
    RefusalReason.CONTENT_ENCODING_UNSUPPORTED: 415,
    RefusalReason.SOURCE_UNKNOWN: 404,
    RefusalReason.METHOD_NOT_ALLOWED: 405,
    RefusalReason.BROKER_UNAVAILABLE: 503,
    RefusalReason.OVERLOADED: 503,
}
_STATUS_UNAUTHORIZED = 401
_STATUS_WITH_FLAG_OFF = 400
# These say nothing about the delivery, and their record would need the very broker that is away.
_OUR_OWN_STATE = {RefusalReason.BROKER_UNAVAILABLE, RefusalReason.OVERLOADED}


@cache
def refuse(reason: RefusalReason, *, validation_enabled: bool) -> Refusal:
    """Return the refusal of a delivery for this reason."""
    status = _STATUS[reason]
    if status == _STATUS_UNAUTHORIZED and not validation_enabled:
        status = _STATUS_WITH_FLAG_OFF
    return Refusal(reason, status, on_record=validation_enabled and reason not in _OUR_OWN_STATE)


def classify(
    signature: Verified | Refused, *, validation_enabled: bool, always_verified: bool
) -> AcceptedDelivery | Refusal:
    """Return what the flag table says about a delivery.

    Args:
        signature: result of the verification.
        validation_enabled: ENABLE_WEBHOOK_VALIDATION.
        always_verified: whether the source is verified even with the flag off, as Stripe is.
    """
    if isinstance(signature, Verified):
        return AcceptedDelivery(Verification.VERIFIED)
    if validation_enabled or always_verified:
        return refuse(signature.reason, validation_enabled=validation_enabled)
    return AcceptedDelivery(Verification.UNVERIFIED, unverified_because=signature.reason)
