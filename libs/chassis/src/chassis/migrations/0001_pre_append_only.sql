-- Refuses every change of an append-only table, for everyone. Attach it with ENABLE ALWAYS triggers:
-- plain ones are bypassed under session_replication_role = replica.
CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% refused: the table is append-only', tg_op, tg_table_schema, tg_table_name
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Record a correction as a new row.';
END;
$$;
