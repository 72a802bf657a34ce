-- The service appends without choosing what the database sets: entry_id and recorded_at of an entry
-- (AU-3). A right to INSERT by column also refuses OVERRIDING SYSTEM VALUE and COPY into the others.
REVOKE INSERT ON event_log, event_payload, status_history FROM audit;

GRANT INSERT (
    event_type, status, source, event_id, booking_id, actor, error, metadata,
    occurred_at, topic, partition, record_offset, correlation_id, causation_id, payload_digest
) ON event_log TO audit;
GRANT INSERT (entry_id, subject, salt, body) ON event_payload TO audit;
-- recorded_at of a version is booking's time: it comes with the message.
GRANT INSERT (
    booking_id, version, from_status, to_status, changed_by, recorded_at, entry_id
) ON status_history TO audit;
