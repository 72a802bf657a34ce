-- An entry holds ids by their form; an id that has none stands there by its digest (AU-6). Its text belongs to the
-- payload and is erased with it. Each text is bound to the entry by that digest.
ALTER TABLE event_payload ADD COLUMN texts json;
GRANT INSERT (texts) ON event_payload TO audit;

-- What an erasure may do, and nothing else. Nobody logs in as this role (docs/privacy.md).
GRANT USAGE ON SCHEMA audit TO audit_eraser;
GRANT SELECT, DELETE ON event_payload, event_rendering TO audit_eraser;
