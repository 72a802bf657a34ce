-- Payloads by the month in which they were stored, so that old ones can be dropped (decision 0056). The entries stay
-- for ever. Months are created ahead by add_payload_months(); what falls into no month goes to the default partition,
-- so that an append never fails for a missing one.
--
-- Copies every payload: needs free space of the table's size, and about a minute for two million payloads. Appending
-- waits until then.
--
-- No foreign key to event_log: its check locks, and so rewrites, a row of event_log for every payload. Entry and
-- payload are inserted by one statement, and no entry is ever deleted.
-- squawk-ignore renaming-table
ALTER TABLE event_payload RENAME TO event_payload_before;
-- squawk-ignore renaming-object
ALTER INDEX event_payload_pkey RENAME TO event_payload_before_pkey;
-- squawk-ignore renaming-object
ALTER INDEX event_payload_subject RENAME TO event_payload_before_subject;

CREATE TABLE event_payload (
    entry_id bigint NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    subject text,
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    body bytea NOT NULL,
    texts json,
    PRIMARY KEY (entry_id, stored_at)
) PARTITION BY RANGE (stored_at);

CREATE INDEX event_payload_subject ON event_payload (subject) WHERE subject IS NOT NULL;

CREATE TRIGGER event_payload_rows BEFORE UPDATE OR DELETE ON event_payload
FOR EACH ROW EXECUTE FUNCTION refuse_change_of_payload();
CREATE TRIGGER event_payload_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON event_payload
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_payload();
ALTER TABLE event_payload ENABLE ALWAYS TRIGGER event_payload_rows;
ALTER TABLE event_payload ENABLE ALWAYS TRIGGER event_payload_statements;

-- Since when payloads are kept. A row for each retention; the newest counts, none means: since the beginning.
CREATE TABLE payload_retention (
    retained_from timestamptz PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER payload_retention_rows BEFORE UPDATE OR DELETE ON payload_retention
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payload_retention_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON payload_retention
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE payload_retention ENABLE ALWAYS TRIGGER payload_retention_rows;
ALTER TABLE payload_retention ENABLE ALWAYS TRIGGER payload_retention_statements;

-- Give a table of payloads what a partition does not inherit. STATISTICS 0: a sample of the column's values would
-- stand in pg_statistic after they were erased.
CREATE FUNCTION prepare_payload_partition(partition regclass) RETURNS void
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    EXECUTE format(
        'ALTER TABLE %1$s SET (toast_tuple_target = 8160),'
        ' ALTER body SET STORAGE EXTERNAL, ALTER body SET STATISTICS 0, ALTER subject SET STATISTICS 0,'
        ' ALTER texts SET STATISTICS 0, ALTER salt SET STATISTICS 0;'
        ' ALTER TABLE %1$s ENABLE ALWAYS TRIGGER event_payload_rows;'
        ' CREATE TRIGGER event_payload_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON %1$s'
        ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_payload();'
        ' ALTER TABLE %1$s ENABLE ALWAYS TRIGGER event_payload_statements;'
        ' GRANT MAINTAIN ON %1$s TO audit_eraser',
        partition
    );
END;
$$;

CREATE FUNCTION payload_months() RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = audit, pg_temp AS $$
    SELECT to_date(right(relname, 7), 'YYYY_MM') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'event_payload'::regclass AND relname ~ '^event_payload_[0-9]{4}_[0-9]{2}$'
$$;

-- Attach a month. A month of which payloads stand in the default partition is left out: they stay there.
CREATE FUNCTION add_payload_month(month date) RETURNS boolean
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
DECLARE
    partition text := 'event_payload_' || to_char(month, 'YYYY_MM');
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE event_payload INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    -- Unlike PARTITION OF, this does not lock out readers and writers of the other partitions.
    EXECUTE format(
        'ALTER TABLE event_payload ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC'
    );
    PERFORM prepare_payload_partition(partition::regclass);
    RETURN true;
EXCEPTION WHEN check_violation THEN
    RETURN false;
END;
$$;

-- Create the partitions of this month and of the next ones. The service may call it; it owns no table.
CREATE FUNCTION add_payload_months(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    first date := date_trunc('month', now() AT TIME ZONE 'UTC');
BEGIN
    -- 7310579119: AUDIT_PAYLOAD_MONTHS. One process at a time.
    IF NOT pg_try_advisory_xact_lock(7310579119) THEN
        RETURN 0;
    END IF;
    RETURN (
        SELECT count(*) FILTER (WHERE add_payload_month(month))
        FROM (
            SELECT (first + number * interval '1 month')::date AS month
            FROM generate_series(0, least(months_ahead, 24)) AS number
            EXCEPT SELECT * FROM payload_months()
        ) AS missing
    );
END;
$$;

-- Drop the months before `first_kept`, and record since when payloads are kept. Returns the number of months dropped.
CREATE FUNCTION drop_payload_months(first_kept date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    month date;
    dropped integer := 0;
BEGIN
    IF extract(day FROM first_kept) <> 1 OR first_kept > now() AT TIME ZONE 'UTC' THEN
        RAISE EXCEPTION '% is not the first day of a month that has begun', first_kept;
    END IF;
    FOR month IN SELECT each FROM payload_months() AS each WHERE each < first_kept ORDER BY each LOOP
        EXECUTE format('DROP TABLE %I', 'event_payload_' || to_char(month, 'YYYY_MM'));
        dropped := dropped + 1;
    END LOOP;
    INSERT INTO payload_retention (retained_from) VALUES (first_kept::timestamp AT TIME ZONE 'UTC')
    ON CONFLICT DO NOTHING;
    RETURN dropped;
END;
$$;

REVOKE EXECUTE ON FUNCTION
    prepare_payload_partition(regclass), add_payload_month(date), add_payload_months(integer),
    drop_payload_months(date)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_payload_months(integer) TO audit;
GRANT EXECUTE ON FUNCTION drop_payload_months(date) TO audit_eraser;

CREATE TABLE event_payload_other PARTITION OF event_payload DEFAULT;
SELECT prepare_payload_partition('event_payload_other');
SELECT add_payload_month(month::date)
FROM generate_series(
    (
        SELECT date_trunc('month', least(now(), min(recorded_at)) AT TIME ZONE 'UTC')
        FROM event_log JOIN event_payload_before USING (entry_id)
    ),
    date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months',
    interval '1 month'
) AS month;

INSERT INTO event_payload (entry_id, stored_at, subject, salt, body, texts)
SELECT entry_id, recorded_at, subject, salt, body, texts
FROM event_payload_before JOIN event_log USING (entry_id);
-- squawk-ignore ban-drop-table
DROP TABLE event_payload_before;

ALTER TABLE event_rendering ALTER body SET STATISTICS 0, ALTER body_sha256 SET STATISTICS 0;

GRANT SELECT ON event_payload, payload_retention TO audit;
GRANT INSERT (entry_id, subject, salt, body, texts) ON event_payload TO audit;
