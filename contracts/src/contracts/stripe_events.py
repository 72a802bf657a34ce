"""The envelope of a Stripe event: type, mode, account and object. All services read it here.

docs.stripe.com/api/events/object. Snapshot events carry their object in `data.object`; thin events
(`"object": "v2.core.event"`) carry only its id, in `related_object`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

import msgspec

from contracts.ids import booking_reference

JsonObject = Mapping[str, Any]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_THIN = "v2.core.event"
_V1_PREFIX = "v1."
# Members of an object's metadata that name its booking; older links have the second.
_BOOKING_MEMBERS = ("booking_id", "bookingId")

APPLIED_TYPES = (
    "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled",
    "payment_intent.processing",
    "checkout.session.completed", "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed", "checkout.session.expired",
    "invoice.paid", "invoice.payment_succeeded", "invoice.payment_failed", "invoice_payment.paid",
    "charge.succeeded", "charge.captured", "charge.failed", "charge.refunded", "charge.refund.updated",
    "refund.created", "refund.updated", "refund.failed",
    "charge.dispute.created", "charge.dispute.updated", "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated", "charge.dispute.closed",
)  # fmt: skip
"""Types that booking applies (BK-7) and that the Stripe sweep looks for (REC-13)."""

_MONEY_TYPES = frozenset(APPLIED_TYPES) - {"payment_intent.processing"}
_MONEY_PREFIXES_V2 = ("v2.payments.", "v2.money_management.")

# Reasons not to apply an event.
NotApplied = Literal["other_mode", "other_account", "thin_event"]


class JsonObjectError(ValueError):
    """The bytes are not a JSON object. The message says why."""


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """An event as Stripe sent it. Nothing in it is trusted to be of the documented type."""

    members: JsonObject

    @property
    def type(self) -> str | None:
        """Return the kind of event, e.g. `payment_intent.succeeded`."""
        return _text(self.members, "type")

    @property
    def is_live(self) -> bool:
        """True if the event is about real money: only the literal `true` counts."""
        return self.members.get("livemode") is True

    @property
    def account(self) -> str | None:
        """Return the connected account of the event; None for the receiver's own account."""
        account = self.members.get("account")
        return None if account is None or account == "" else str(account)

    @property
    def is_thin(self) -> bool:
        """True if the event only names its object."""
        return self.members.get("object") == _THIN or ("related_object" in self.members and not self.subject)

    @property
    def subject(self) -> JsonObject:
        """Return the object at the moment of the event; empty for a thin event."""
        return member(member(self.members, "data"), "object")

    @property
    def related(self) -> JsonObject:
        """Id, type and URL of a thin event's object."""
        return member(self.members, "related_object")

    @property
    def is_about_money(self) -> bool:
        """True for events about money that arrived, failed to arrive, or went back (BK-7)."""
        name = (self.type or "").removeprefix(_V1_PREFIX)
        return name in _MONEY_TYPES or name.startswith(_MONEY_PREFIXES_V2)


@dataclass(frozen=True, slots=True)
class StripeWorld:
    """The mode and account whose events are applied (BK-7a).

    Attributes:
        is_live: True for live mode, False for test mode.
        account: our own account, if events of connected accounts arrive too.
    """

    is_live: bool
    account: str | None

    def not_applied(self, event: StripeEvent) -> NotApplied | None:
        """Return the reason not to apply an event; None if it may be applied.

        A thin event that is not about money may be applied: no handler reads it.
        """
        if event.is_live is not self.is_live:
            return "other_mode"
        if event.account not in {None, self.account}:
            return "other_account"
        return "thin_event" if event.is_thin and event.is_about_money else None


def stripe_world(mode: Literal["live", "test"] | None, account: str | None, environment: str) -> StripeWorld:
    """Return the world of STRIPE_MODE, STRIPE_ACCOUNT and ENVIRONMENT; production is live by default."""
    return StripeWorld((mode or ("live" if environment == "production" else "test")) == "live", account)


def read_stripe_event(body: bytes) -> StripeEvent:
    """Read the body of a delivery; of a repeated name the last counts (GW-12).

    Raises:
        JsonObjectError: the body is not a JSON object.
    """
    try:
        value = _DECODER.decode(body.removeprefix(_BYTE_ORDER_MARK).decode())
    except (ValueError, RecursionError) as error:
        raise JsonObjectError(f"not a JSON object: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise JsonObjectError("not a JSON object")
    return StripeEvent(cast("JsonObject", value))


def read_envelope(body: bytes) -> StripeEvent:
    """Read an event as far as `StripeWorld.not_applied` needs it: of most events mode and account alone.

    Raises:
        JsonObjectError: the body is not a JSON object.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        body.decode()  # msgspec does not look at the bytes of members that it passes over
        members = cast("JsonObject", _ENVELOPE.decode(body))
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        return read_stripe_event(body)  # such as lone surrogates, which are legal
    is_whole = "related_object" not in members and members.get("object") != _THIN
    return StripeEvent(members) if is_whole else read_stripe_event(body)


def event_or_error(body: bytes) -> StripeEvent | JsonObjectError:
    """Return the event in a body, or why the body has none (`read_stripe_event`)."""
    try:
        return read_stripe_event(body)
    except JsonObjectError as error:
        return error


def member(parent: JsonObject, name: str) -> JsonObject:
    """Return a member that is an object; an empty one if it is missing or of another type."""
    value = parent.get(name)
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def referenced_booking(subject: JsonObject) -> str | None:
    """Return the booking that a Stripe object names in its metadata (`contracts.ids.booking_reference`)."""
    metadata = member(subject, "metadata")
    return booking_reference(metadata.get(name) for name in _BOOKING_MEMBERS)


def _text(parent: JsonObject, name: str) -> str | None:
    value = parent.get(name)
    return value if isinstance(value, str) and value else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# One for all bodies: `json.loads` with an option makes a decoder for each call.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class _Envelope(TypedDict, total=False):
    livemode: Any
    account: Any
    object: Any
    related_object: Any


_ENVELOPE = msgspec.json.Decoder(_Envelope)
