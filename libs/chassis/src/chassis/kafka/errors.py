"""Errors of publishing: the broker is unavailable, or refuses a record permanently."""

from aiokafka.errors import (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


class BrokerUnavailableError(ConnectionError):
    """Kafka did not acknowledge in time. The record may still arrive: answer 5xx to let the sender retry."""


class RecordRefusedError(BrokerUnavailableError):
    """Kafka refuses this record at every attempt. Change the record, or the limit that it exceeds."""


_REFUSALS = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


def publish_error(error: BaseException) -> BrokerUnavailableError:
    """Convert an error of Kafka's client, or a time-out, to the error of the record."""
    if isinstance(error, BrokerUnavailableError):
        return error
    if isinstance(error, _REFUSALS):
        return RecordRefusedError(f"Kafka refuses the record: {type(error).__name__} {error}")
    reason = "no ack in time" if isinstance(error, TimeoutError) else f"{type(error).__name__} {error}"
    return BrokerUnavailableError(f"Kafka did not take the record: {reason}")
