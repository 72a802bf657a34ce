-- The service appends without choosing what the database sets: ids and times of its records (BK-5).
-- A right to INSERT by column also refuses OVERRIDING SYSTEM VALUE and COPY into the others.
REVOKE INSERT ON status_transition, dead_letter_action FROM booking;

GRANT INSERT (
    booking_id, version, from_status, to_status, changed_by, reason, metadata
) ON status_transition TO booking;
GRANT INSERT (dead_letter_id, action, actor, reason, error) ON dead_letter_action TO booking;
