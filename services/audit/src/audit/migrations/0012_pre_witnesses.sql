-- Witnesses (AU-8): what they cosigned of our log, and what this installation cosigned of other logs.

-- Checkpoints that witnesses were asked to cosign: the head moves on, and a cosignature is worth nothing without the
-- note that the log signed.
CREATE TABLE log_submission (
    tree_size bigint PRIMARY KEY CHECK (tree_size > 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note text NOT NULL,
    signed_at timestamptz NOT NULL
);

-- Verified cosignatures, one of each key and tree. Name, id and signature make up a line of the note.
CREATE TABLE log_cosignature (
    tree_size bigint NOT NULL REFERENCES log_submission (tree_size) ON UPDATE RESTRICT ON DELETE RESTRICT,
    key_name text NOT NULL,
    key_id bytea NOT NULL CHECK (octet_length(key_id) = 4),
    -- The time and the signature, as they follow the key id in the line.
    signature bytea NOT NULL CHECK (octet_length(signature) > 8),
    cosigned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tree_size, key_name, key_id)
);

-- What is known of each witness, by its submission prefix. A row may be lost: the witness says what it has seen.
CREATE TABLE log_witness (
    url text PRIMARY KEY,
    -- The largest tree that the witness is known to have cosigned.
    tree_size bigint NOT NULL DEFAULT 0 CHECK (tree_size >= 0),
    cosigned_at timestamptz,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    error text,
    failing_since timestamptz
);

-- Other logs that `audit witness serve` cosigns: the newest tree of each, as the last answer said.
CREATE TABLE witness_log (
    origin text PRIMARY KEY,
    tree_size bigint NOT NULL CHECK (tree_size >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    -- Signatures of the log that were verified, and the cosignatures.
    note text NOT NULL,
    cosigned_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER log_submission_rows BEFORE UPDATE OR DELETE ON log_submission
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_submission_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON log_submission
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_cosignature_rows BEFORE UPDATE OR DELETE ON log_cosignature
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_cosignature_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON log_cosignature
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE log_submission ENABLE ALWAYS TRIGGER log_submission_rows;
ALTER TABLE log_submission ENABLE ALWAYS TRIGGER log_submission_statements;
ALTER TABLE log_cosignature ENABLE ALWAYS TRIGGER log_cosignature_rows;
ALTER TABLE log_cosignature ENABLE ALWAYS TRIGGER log_cosignature_statements;

-- A witness never goes back to a smaller tree, whoever writes.
CREATE FUNCTION refuse_smaller_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.tree_size < OLD.tree_size OR (NEW.tree_size = OLD.tree_size AND NEW.root <> OLD.root) THEN
        RAISE EXCEPTION 'the witness has cosigned a tree of % of %', OLD.tree_size, OLD.origin
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER witness_log_rows BEFORE UPDATE ON witness_log
FOR EACH ROW EXECUTE FUNCTION refuse_smaller_tree();
ALTER TABLE witness_log ENABLE ALWAYS TRIGGER witness_log_rows;

GRANT SELECT ON log_submission, log_cosignature, log_witness, witness_log TO audit;
GRANT INSERT (tree_size, root, note, signed_at) ON log_submission TO audit;
GRANT INSERT (tree_size, key_name, key_id, signature) ON log_cosignature TO audit;
GRANT INSERT (url, tree_size, cosigned_at, asked_at, error, failing_since) ON log_witness TO audit;
GRANT UPDATE (tree_size, cosigned_at, asked_at, error, failing_since) ON log_witness TO audit;
GRANT INSERT (origin, tree_size, root, note) ON witness_log TO audit;
GRANT UPDATE (tree_size, root, note, cosigned_at) ON witness_log TO audit;
