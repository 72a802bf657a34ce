"""What the gateway says about deliveries it did not take (GW-9)."""

from contracts.reasons import RefusalReason
from contracts.wire import UtcDatetime, WireModel


class WebhookValidationFailed(WireModel):
    """One refused delivery. Never the secret, never the body: its digest and size tell deliveries apart."""

    source: str
    reason: RefusalReason
    path: str
    remote_address: str
    header_names: list[str]
    body_sha256: str
    body_bytes: int
    received_at: UtcDatetime


class WebhookRefusalsSuppressed(WireModel):
    """How many further refusals of one source and address were not published one by one, in one window."""

    source: str
    remote_address: str
    suppressed: int
    by_reason: dict[str, int]
    window_started_at: UtcDatetime
    window_seconds: int
