-- One row per event applied (BK-10). Unpartitioned, so that the key is unique over all of it.
-- The body's digest stays, so that another body under the same id is a conflict and not a duplicate.
CREATE TABLE inbox (
    source text NOT NULL,
    event_id text NOT NULL,
    body_sha256 bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, event_id)
);
