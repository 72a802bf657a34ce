-- Idempotency keys stand in a table of the chassis (BK-13). The keys of booking.idempotency_key, which is "caller,
-- line feed, key", move there. Their answers were never stored: a repeated request is answered from the booking.
GRANT SELECT, INSERT, DELETE ON idempotent_request TO booking;

-- A stored answer holds the client's data. An erasure of a booking empties its answers.
GRANT SELECT, UPDATE (body) ON idempotent_request TO booking_eraser;

-- The digest that chassis.http.idempotency.keys computes. A quoted key and a bare one are the same key.
CREATE FUNCTION scope_of_moved_key(caller text, sent text) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(convert_to(
        concat_ws(
            E'\n', 'POST', caller,
            CASE WHEN sent ~ '^".*"$' THEN regexp_replace(substr(sent, 2, length(sent) - 2), '\\(.)', '\1', 'g')
            ELSE sent END,
            '/api/bookings'
        ),
        'UTF8'
    ));
$$;

INSERT INTO idempotent_request (scope_sha256, request_sha256, resource, status, headers, recorded_at)
SELECT
    scope_of_moved_key(split_part(idempotency_key, E'\n', 1), split_part(idempotency_key, E'\n', 2)),
    request_sha256, '/api/bookings/' || booking_id, 201, '{}', created_at
FROM booking WHERE idempotency_key IS NOT NULL AND created_at > now() - interval '35 days'
ORDER BY created_at
ON CONFLICT DO NOTHING;

-- Processes of the previous version still write the column. Their keys move too, and a key that a process of this
-- version has taken is refused. Migration 0015 drops both.
CREATE FUNCTION move_idempotency_key() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.idempotency_key IS NULL THEN
        RETURN NEW;
    END IF;
    INSERT INTO idempotent_request (scope_sha256, request_sha256, resource, status, headers)
    VALUES (
        scope_of_moved_key(split_part(NEW.idempotency_key, E'\n', 1), split_part(NEW.idempotency_key, E'\n', 2)),
        NEW.request_sha256, '/api/bookings/' || NEW.booking_id, 201, '{}'
    )
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN NEW;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER booking_idempotency_key BEFORE INSERT ON booking
FOR EACH ROW EXECUTE FUNCTION move_idempotency_key();

-- This version writes neither column.
-- squawk-ignore ban-drop-not-null
ALTER TABLE booking ALTER COLUMN request_sha256 DROP NOT NULL;
