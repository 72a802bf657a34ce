"""The gateway's events about refused deliveries (GW-9)."""

from contracts.reasons import RefusalReason
from contracts.wire import UtcDatetime, WireModel


class WebhookValidationFailed(WireModel):
    """One refused delivery, without secret and body: digest and size distinguish deliveries."""

    source: str
    reason: RefusalReason
    path: str
    remote_address: str
    header_names: list[str]
    body_sha256: str
    body_bytes: int
    received_at: UtcDatetime


class WebhookRefusalsSuppressed(WireModel):
    """The number of refusals of one source and address in one window that were not published one by one."""

    source: str
    remote_address: str
    suppressed: int
    by_reason: dict[str, int]
    window_started_at: UtcDatetime
    window_seconds: int
