-- Status histories that wait for a missing version (AU-2): written in the transaction that appends behind the
-- gap, so that nobody ever looks for gaps among all histories. A row goes when its history is whole.
-- reported_to: up to this version the EventLog says what is missing; 0 until something has been reported.
CREATE TABLE history_gap (
    booking_id text PRIMARY KEY,
    reported_to bigint NOT NULL DEFAULT 0
);
GRANT SELECT, INSERT, UPDATE (reported_to), DELETE ON history_gap TO audit;

-- Histories that wait already.
INSERT INTO history_gap (booking_id)
SELECT booking_id FROM status_history
GROUP BY booking_id
HAVING max(version) > count(*);
