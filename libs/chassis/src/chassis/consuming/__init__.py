"""Consuming, decided once for every service (design rule 6).

`core` decides (pure), `shell` acts. A service gives an `apply` function: a transaction's connection and a
batch of messages in, effects and outbox rows written, nothing committed.
"""

from chassis.consuming.consumer import Consumer, SetAsideStore
from chassis.messaging.message import Apply

__all__ = ["Apply", "Consumer", "SetAsideStore"]
