-- record_time() in SQL in place of PL/pgSQL: the planner puts the expression into the INSERT, and an entry costs no
-- call of a function. It does the same as before (0005_pre_record_time.sql): first the shared lock that publishes the
-- open writer, held until COMMIT, then the clock. CASE evaluates its condition before its result.
CREATE OR REPLACE FUNCTION record_time() RETURNS timestamptz
LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN
        pg_catalog.pg_advisory_xact_lock_shared(
            (x'504'::bigint << 52)
            | (extract(epoch FROM pg_catalog.statement_timestamp()) * 1000000)::bigint
        )::text IS NOT NULL
    THEN pg_catalog.clock_timestamp() END
$$;
