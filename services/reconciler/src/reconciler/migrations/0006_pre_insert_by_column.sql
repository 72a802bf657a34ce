-- The service appends without choosing what the database sets: ids and times of its records (REC-9).
-- A right to INSERT by column also refuses OVERRIDING SYSTEM VALUE and COPY into the others.
REVOKE INSERT ON exception_event, dead_letter_action FROM reconciler;

GRANT INSERT (
    exception_id, kind, revision, actor, reason, run_id, explanation
) ON exception_event TO reconciler;
GRANT INSERT (dead_letter_id, action, actor, reason, error) ON dead_letter_action TO reconciler;
