"""What a broker that does not do what it is asked means to us: it is away, or it will never do it."""

from aiokafka.errors import (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


class BrokerUnavailableError(ConnectionError):
    """Kafka did not acknowledge in time. The record may still arrive: answer 5xx and let it come again."""


class RecordRefusedError(BrokerUnavailableError):
    """Kafka will not take this record however often it is sent: change it, or the limit that refuses it."""


_REFUSALS = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


def not_taken(error: BaseException) -> BrokerUnavailableError:
    """What an error of Kafka's client, or a time-out, says of a record that was to be sent."""
    if isinstance(error, BrokerUnavailableError):
        return error
    if isinstance(error, _REFUSALS):
        return RecordRefusedError(f"Kafka refuses the record: {type(error).__name__} {error}")
    reason = "no ack in time" if isinstance(error, TimeoutError) else f"{type(error).__name__} {error}"
    return BrokerUnavailableError(f"Kafka did not take the record: {reason}")
