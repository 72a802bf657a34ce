"""Errors of publishing: the broker is unavailable, or refuses a record permanently."""

from aiokafka.errors import (
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from chassis.process.terminal import plain_reason


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


def broker_reason(error: BaseException) -> str:
    """Return why Kafka did not do its work, in plain words: no class, no number, no tuple of an address."""
    if isinstance(error, KafkaConnectionError):
        return "no broker answers"
    if isinstance(error, KafkaError) and (description := getattr(error, "description", "")):
        return description[0].lower() + description[1:].rstrip(".")
    return plain_reason(error)


def unavailable(what: str, error: BaseException) -> BrokerUnavailableError:
    """Return an error that says what did not work, and why."""
    return BrokerUnavailableError(f"{what}: {broker_reason(error)}")


def publish_error(error: BaseException) -> BrokerUnavailableError:
    """Convert an error of Kafka's client, or a time-out, to the error of the record."""
    if isinstance(error, BrokerUnavailableError):
        return error
    if isinstance(error, _REFUSALS):
        return RecordRefusedError(f"Kafka refuses the record: {type(error).__name__} {error}")
    reason = "no ack in time" if isinstance(error, TimeoutError) else f"{type(error).__name__} {error}"
    return BrokerUnavailableError(f"Kafka did not take the record: {reason}")
