-- One index, and it is the one that a relay reads by: of a shard, the oldest rows first (decision 0012).
-- Rows live for milliseconds, so the table is small, and locking it lasts as long as a blink: no CONCURRENTLY.
-- squawk-ignore constraint-missing-not-valid, adding-serial-primary-key-field, ban-drop-constraint
ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD CONSTRAINT outbox_pkey PRIMARY KEY (shard, id);
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX outbox_shard_id;
