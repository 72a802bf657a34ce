"""Closed lists of reasons. Consumers, dashboards and runbooks depend on each value: never rename one."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """The gateway's reason to refuse a delivery (GW-7)."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_MISMATCH = "signature_mismatch"
    TIMESTAMP_OUTSIDE_WINDOW = "timestamp_outside_window"
    SECRET_NOT_CONFIGURED = "secret_not_configured"  # noqa: S105 - a reason, not a secret
    BODY_TOO_LARGE = "body_too_large"
    BODY_NOT_JSON = "body_not_json"
    BODY_INCOMPLETE = "body_incomplete"
    EVENT_ID_MISSING = "event_id_missing"
    CONTENT_ENCODING_UNSUPPORTED = "content_encoding_unsupported"
    SOURCE_UNKNOWN = "source_unknown"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BROKER_UNAVAILABLE = "broker_unavailable"
    OVERLOADED = "overloaded"


class AnnouncedReason(StrEnum):
    """The reason in `dead-letter.set-aside`. Version 1 takes no further values."""

    MALFORMED = "malformed"
    BUG = "bug"
    BEHIND_ANOTHER = "behind_another"


class SetAsideReason(StrEnum):
    """A consumer's reason to set a message aside instead of applying it (ALL-1)."""

    MALFORMED = "malformed"
    BUG = "bug"
    BEHIND_ANOTHER = "behind_another"
    OUT_OF_PLACE = "out_of_place"

    @property
    def announced(self) -> AnnouncedReason:
        """Return the reason known to consumers of v1; the message's `error` is more exact."""
        return AnnouncedReason.MALFORMED if self is self.OUT_OF_PLACE else AnnouncedReason(self.value)
