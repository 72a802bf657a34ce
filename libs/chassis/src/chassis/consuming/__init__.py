"""Consuming, the same in every service (design rule 6).

`state_machine` decides what happens to each message, also when it fails; its module is the place to begin.
`consumer` talks to Kafka, `attempts` applies batches in transactions. A service provides an `apply` function:
given a transaction's connection and a batch of messages, it writes effects and outbox rows. It commits
nothing.
"""

from chassis.consuming.consumer import Consumer, SetAsideStore
from chassis.messaging.message import Apply

__all__ = ["Apply", "Consumer", "SetAsideStore"]
