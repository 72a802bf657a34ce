-- The database guards the status history too (BK-1, BK-4), for every role. After the code: the previous version's
-- start-up check does not know these triggers.
-- The same table as TRANSITIONS in booking.domain.statuses.
CREATE TABLE status_rule (
    from_status text NOT NULL,
    to_status text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);

INSERT INTO status_rule (from_status, to_status) VALUES
('pending', 'confirmed'),
('pending', 'cancelled'),
('confirmed', 'pending'),
('confirmed', 'in_progress'),
('confirmed', 'completed'),
('confirmed', 'cancelled'),
('in_progress', 'completed'),
('in_progress', 'cancelled');

GRANT SELECT ON status_rule TO booking;

-- A history begins with pending and goes on without a gap, by the rules.
CREATE FUNCTION guard_transition() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    previous text;
BEGIN
    IF NEW.version = 1 THEN
        IF NEW.from_status IS NULL AND NEW.to_status = 'pending' THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'history of booking % refused: it begins with version 1 from nothing to pending, not from % to %',
            NEW.booking_id, coalesce(NEW.from_status, 'nothing'), NEW.to_status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition_order';
    END IF;
    SELECT to_status INTO previous FROM booking.status_transition
    WHERE booking_id = NEW.booking_id AND version = NEW.version - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'history of booking % refused: version % has no version % before it: append the next one',
            NEW.booking_id, NEW.version, NEW.version - 1
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition_order';
    END IF;
    IF NEW.from_status IS DISTINCT FROM previous THEN
        RAISE EXCEPTION 'history of booking % refused: version % is from %, but the booking was %',
            NEW.booking_id, NEW.version, coalesce(NEW.from_status, 'nothing'), previous
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition_order';
    END IF;
    IF NOT EXISTS (
        SELECT FROM booking.status_rule WHERE from_status = NEW.from_status AND to_status = NEW.to_status
    ) THEN
        RAISE EXCEPTION 'history of booking % refused: % cannot become %', NEW.booking_id, NEW.from_status, NEW.to_status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'status_transition_rule',
                HINT = 'Table status_rule lists the allowed steps.';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER status_transition_order BEFORE INSERT ON status_transition
    FOR EACH ROW EXECUTE FUNCTION guard_transition();
ALTER TABLE status_transition ENABLE ALWAYS TRIGGER status_transition_order;

-- At commit the last row of the history and the booking say the same.
CREATE FUNCTION guard_agreement() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    stored record;
    last record;
BEGIN
    SELECT status, transitions INTO stored FROM booking.booking WHERE booking_id = NEW.booking_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT version, to_status INTO last FROM booking.status_transition
    WHERE booking_id = NEW.booking_id ORDER BY version DESC LIMIT 1;
    IF (last.to_status, last.version) IS DISTINCT FROM (stored.status, stored.transitions) THEN
        RAISE EXCEPTION 'booking % refused: it is % with % transitions, but its history ends with % at version %',
            NEW.booking_id, stored.status, stored.transitions, coalesce(last.to_status, 'nothing'),
            coalesce(last.version, 0)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'booking_history_agrees',
                HINT = 'Use PATCH /api/bookings/{id}, or append to status_transition and set status and transitions of'
                    ' booking in one transaction.';
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER booking_history_insert AFTER INSERT ON booking
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard_agreement();
CREATE CONSTRAINT TRIGGER booking_history_update AFTER UPDATE ON booking
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.transitions IS DISTINCT FROM NEW.transitions)
    EXECUTE FUNCTION guard_agreement();
CREATE CONSTRAINT TRIGGER status_transition_agrees AFTER INSERT ON status_transition
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard_agreement();
ALTER TABLE booking ENABLE ALWAYS TRIGGER booking_history_insert;
ALTER TABLE booking ENABLE ALWAYS TRIGGER booking_history_update;
ALTER TABLE status_transition ENABLE ALWAYS TRIGGER status_transition_agrees;

-- The foreign key of the history keeps a booking, but not from a session in replica mode.
CREATE FUNCTION keep_bookings() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on booking refused: a booking is never deleted', tg_op
        USING ERRCODE = 'insufficient_privilege',
            HINT = 'Cancel the booking; an erasure empties its personal columns.';
END;
$$;

CREATE TRIGGER booking_stays BEFORE DELETE OR TRUNCATE ON booking
    FOR EACH STATEMENT EXECUTE FUNCTION keep_bookings();
ALTER TABLE booking ENABLE ALWAYS TRIGGER booking_stays;
