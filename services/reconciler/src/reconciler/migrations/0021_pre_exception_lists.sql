-- squawk-ignore-file adding-field-with-default, require-concurrent-index-creation, require-concurrent-index-deletion
-- Indexes for every view of the queue (REC-9d): in the order of the list, with the columns that the filter reads, so
-- that a page of ids and a summary come from the index alone. Texts in an index need a limit: of the title its first 200
-- characters in small letters; this collation maps the letters of all alphabets. The queue is small enough to be locked.
ALTER TABLE exception ADD COLUMN title_search text NOT NULL GENERATED ALWAYS AS (
    lower(left(title, 200) COLLATE pg_c_utf8)
) STORED;

CREATE INDEX exception_list ON exception (severity_rank, first_seen_at, id) INCLUDE (
    type, drift_class, severity, status, assignee, currency, amount, cause, regressions, escalated_at,
    resolved_by_machine, resolution, clock_counted, clock_running_since, acknowledged_after, title_search
) WHERE NOT superseded AND waiting IS NULL;

-- Resolved exceptions are kept: the daily views must not grow with them.
CREATE INDEX exception_list_unresolved ON exception (severity_rank, first_seen_at, id) INCLUDE (
    type, drift_class, severity, status, assignee, currency, amount, cause, regressions, escalated_at,
    clock_counted, clock_running_since, acknowledged_after, title_search
) WHERE NOT superseded AND waiting IS NULL AND status <> 'resolved';

CREATE INDEX exception_waiting ON exception (severity_rank, first_seen_at, id)
WHERE NOT superseded AND waiting IS NOT NULL;

CREATE INDEX exception_cause ON exception (cause, first_seen_at, id) WHERE NOT superseded;
CREATE INDEX exception_booking ON exception (booking_id) WHERE NOT superseded;

DROP INDEX exception_work_order;
