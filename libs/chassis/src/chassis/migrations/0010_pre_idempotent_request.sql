-- Answers of POST requests with an Idempotency-Key (BK-13, docs/idempotency.md). Caller, method, key and path stand
-- here as one digest: a key that a caller chose can name somebody.
CREATE TABLE idempotent_request (
    scope_sha256 bytea PRIMARY KEY CHECK (octet_length(scope_sha256) = 32),
    request_sha256 bytea NOT NULL,
    -- Path of what the request made or changed. An erasure finds answers by it.
    resource text NOT NULL,
    status smallint NOT NULL CHECK (status BETWEEN 200 AND 299),
    headers jsonb NOT NULL,
    -- The bytes that were sent. Null: erased, or never stored. Only the request stays known.
    body bytea,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX idempotent_request_resource ON idempotent_request (resource text_pattern_ops);
CREATE INDEX idempotent_request_recorded_at ON idempotent_request (recorded_at);
