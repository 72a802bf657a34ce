-- Events on their way to Kafka. A row is unsent until the broker's ack and is deleted by it.
-- shard: hash of the key; one relay owns a shard at a time and publishes it ORDER BY id.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard smallint NOT NULL,
    topic text NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    headers bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (
    -- Rows live for milliseconds: let vacuum follow closely, by count and not by share of the table.
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0.0,
    autovacuum_analyze_scale_factor = 0.0,
    autovacuum_analyze_threshold = 50000
);

CREATE INDEX outbox_shard_id ON outbox (shard, id);
