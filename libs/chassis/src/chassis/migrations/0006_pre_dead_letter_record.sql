-- squawk-ignore-file adding-field-with-default, constraint-missing-not-valid, disallowed-unique-constraint
-- squawk-ignore-file ban-drop-constraint, require-concurrent-index-creation
-- (The table is small: bad messages are few.)
--
-- What makes a record itself: its place and its bytes. A topic that was made anew counts its offsets from 0
-- again, and another record at the same place must not be taken for one that is here already.
-- The lengths keep key, value and headers apart. `chassis.dead_letters.placement` computes the same digest.
ALTER TABLE dead_letter ADD COLUMN record_sha256 bytea NOT NULL GENERATED ALWAYS AS (
    sha256(int8send(octet_length(key)) || key || int8send(octet_length(value)) || value || headers)
) STORED;

ALTER TABLE dead_letter
ADD CONSTRAINT dead_letter_record UNIQUE (consumer, topic, partition, record_offset, record_sha256);
ALTER TABLE dead_letter DROP CONSTRAINT dead_letter_consumer_topic_partition_record_offset_key;

-- By reason, for the metrics.
CREATE INDEX dead_letter_reason ON dead_letter (consumer, reason, set_aside_at) WHERE status = 'waiting';
