"""The relay: publishes outbox rows in order per ordering key, deletes them after the broker's ack (BK-11).

* `component`: the loop, health and metrics;
* `publisher`: polls rows, publishes them, deletes them; `low_watermark` and `holds` are its pure decisions;
* `shards`: several relays share the shards by session locks; `foreign_locks`: other holders of such locks;
* `status`, `metrics`, `cli`: the backlog, for metrics and operators.

All statements of a relay run on the session that holds its locks. The server ends the session of a relay that
falls silent (killed, stopped, cut off). The other relays take over its shards within seconds. Consumers must
expect, and are safe against:

* **Duplicates.** A relay that ended, or lost its session, between ack and delete leaves rows that are
  published again. A relay that was stopped and continues may also send the rest of its current batch, however
  late. It sends nothing beyond that batch: before each batch a relay proves that its session was alive within
  the last second. Without a session it starts from the beginning. Copies have the same `ce_id`: the inbox
  drops them, the EventLog has them once.
* **An older version after a newer one.** Late copies follow the records that the successor has sent since.
  Also, when a record got no ack in time, a later record of its key may be stored before the first is sent
  again. Consumers compare versions (`ce_sequence`): they drop old ones and let early ones wait. The last
  copies of the records of a key are in order.

Never: a row that is deleted without an ack, or skipped because its transaction committed late.
"""
