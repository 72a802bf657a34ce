-- An entry's recorded_at is taken before its transaction commits, so an entry can appear behind one that was
-- recorded after it. record_time() publishes the open writer: a shared advisory lock, held until COMMIT, whose
-- key is the start of the statement (microseconds since 1970 in 52 bits, behind the tag 0x504). No entry that
-- is still to come is recorded before the oldest of these locks: readers stop there (decision 0026).
-- The lock is taken before the clock is read. A reader who sees no lock yet has read its clock before.
CREATE FUNCTION record_time() RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        (x'504'::bigint << 52) | (extract(epoch FROM statement_timestamp()) * 1000000)::bigint
    );
    RETURN clock_timestamp();
END;
$$;
GRANT EXECUTE ON FUNCTION record_time() TO audit;

ALTER TABLE event_log ALTER COLUMN recorded_at SET DEFAULT record_time();
