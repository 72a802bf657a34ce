"""An inbound SMS, whatever envelope it came in."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundSms:
    """One text message that somebody sent to the business. All texts are personal data.

    Attributes:
        message_id: the provider's id of the message; None without one.
        sender: phone number as the provider gives it; empty without one.
        recipient: number of the business as the provider gives it; empty without one.
        text: as sent; empty for a message with pictures only.
        received_at: by the provider's clock; None without a time.
    """

    message_id: str | None
    sender: str
    recipient: str
    text: str
    received_at: datetime | None
