-- Bodies that came under an event id that was known with another body (BK-10): each is reported once, however
-- often Kafka delivers it.
CREATE TABLE identity_conflict (
    source text NOT NULL,
    event_id text NOT NULL,
    body_sha256 bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, event_id, body_sha256)
);

GRANT SELECT, INSERT ON identity_conflict TO booking;
