"""The relay: publishes outbox rows in order per key and deletes them after the broker's ack (BK-11).

* `shards`: several relays share the shards, by session locks; `strangers`: who else holds such a lock;
* `outlet`: look, publish, delete; `floors` and `holds` are its two pure decisions;
* `status`, `meter`: what waits, for metrics and operators.

Everything a relay does runs on the session that holds its locks. The server ends that session when the
relay falls silent (killed, stopped, cut off), and the others share its shards within seconds. What can
still happen, and why consumers are safe:

* **Duplicates.** A relay that ended, or lost its session, between the ack and the delete leaves rows that
  are published again. One that was stopped and goes on may also send the batch that it was in the middle
  of, in a burst, up to a minute or a year late. It publishes nothing beyond that batch: before each batch it
  proves that its session was alive within the last second, and without the session it starts afresh.
  Copies have the same `ce_id`: the inbox drops them, the EventLog has them once.
* **An older version behind a newer one.** Such late copies stand behind what the successor has sent since.
  And where a record got no ack in time, a later one of its key may have got through before it is sent
  again. A consumer sees by the version (`ce_sequence`) that a message is old, or that one is missing before
  it: old ones are dropped, early ones wait. The last copies of a key's records stand in order.
* **Never:** a row that is deleted without an ack, or skipped because it committed late.
"""

from chassis.relay.component import Relay

__all__ = ["Relay"]
