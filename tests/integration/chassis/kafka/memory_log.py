"""An in-memory topic. `kafka/test_memory_log.py` runs one suite on it and on Kafka."""

from collections.abc import Collection, Sequence

from chassis.kafka.errors import BrokerUnavailableError, RecordRefusedError
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.kafka.producer import REQUEST_BYTES_MAX


class MemoryLog:
    """Takes records as `chassis.kafka.producer.Producer` does. What is in `missing` or `silent` fails."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.missing: set[str] = set()
        self.silent: set[bytes] = set()
        """Keys whose records arrive, but without an ack."""

    async def led(self, topics: Collection[str]) -> set[str]:
        return set(topics) - self.missing

    async def send_all(
        self, records: Sequence[OutgoingRecord], *, ack_seconds_max: float
    ) -> list[BrokerUnavailableError | None]:
        del ack_seconds_max
        outcomes: list[BrokerUnavailableError | None] = []
        refused: set[tuple[str, bytes]] = set()
        for record in records:
            line = (record.topic, record.key)
            if line in refused or len(record.value) > REQUEST_BYTES_MAX:
                refused.add(line)
                outcomes.append(RecordRefusedError("MessageSizeTooLargeError"))
                continue
            self.records.append(record)
            late = record.key in self.silent
            outcomes.append(BrokerUnavailableError("Kafka did not acknowledge in time") if late else None)
        return outcomes
