-- The sealed log (AU-4). The sealer numbers entries in log_leaf, apart from event_log, which is never updated. Leaves,
-- full tiles and the head are written in one transaction.
--
-- No foreign key to event_log: its check would lock, and so rewrite, a row of event_log for every leaf. `audit verify`
-- checks what it would have checked.
CREATE TABLE log_leaf (
    leaf_index bigint PRIMARY KEY CHECK (leaf_index >= 0),
    entry_id bigint NOT NULL UNIQUE,
    -- The canonical form, byte for byte as it was hashed. An entry bundle gives its length 16 bits.
    sealed bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 1 AND 65535)
) WITH (toast_tuple_target = 8160);
ALTER TABLE log_leaf ALTER COLUMN sealed SET STORAGE MAIN;

-- Full tiles (C2SP tlog-tiles): 256 hashes, and the root over them, which is a hash of the level above.
CREATE TABLE log_tile (
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    tile_index bigint NOT NULL CHECK (tile_index >= 0),
    hashes bytea NOT NULL CHECK (octet_length(hashes) = 8192),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    PRIMARY KEY (level, tile_index)
);
ALTER TABLE log_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- The newest signed checkpoint, and where the sealer goes on. One row.
CREATE TABLE log_head (
    is_head boolean PRIMARY KEY DEFAULT true CHECK (is_head),
    tree_size bigint NOT NULL CHECK (tree_size >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    -- Roots of the full subtrees that make up the tree, from left to right.
    frontier bytea NOT NULL,
    -- Every entry up to this entry_id is sealed, or its transaction was rolled back.
    sealed_through bigint NOT NULL,
    note text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Checkpoints that left the database: a head is signed every second, one of them every few seconds is published.
CREATE TABLE log_checkpoint (
    tree_size bigint PRIMARY KEY CHECK (tree_size >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note text NOT NULL,
    signed_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER log_leaf_rows BEFORE UPDATE OR DELETE ON log_leaf
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_leaf_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON log_leaf
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_tile_rows BEFORE UPDATE OR DELETE ON log_tile
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_tile_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON log_tile
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_checkpoint_rows BEFORE UPDATE OR DELETE ON log_checkpoint
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_checkpoint_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checkpoint
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE log_leaf ENABLE ALWAYS TRIGGER log_leaf_rows;
ALTER TABLE log_leaf ENABLE ALWAYS TRIGGER log_leaf_statements;
ALTER TABLE log_tile ENABLE ALWAYS TRIGGER log_tile_rows;
ALTER TABLE log_tile ENABLE ALWAYS TRIGGER log_tile_statements;
ALTER TABLE log_checkpoint ENABLE ALWAYS TRIGGER log_checkpoint_rows;
ALTER TABLE log_checkpoint ENABLE ALWAYS TRIGGER log_checkpoint_statements;

GRANT SELECT ON log_leaf, log_tile, log_checkpoint TO audit;
GRANT INSERT (leaf_index, entry_id, sealed) ON log_leaf TO audit;
GRANT INSERT (level, tile_index, hashes, root) ON log_tile TO audit;
GRANT INSERT (tree_size, root, note, signed_at) ON log_checkpoint TO audit;
GRANT SELECT, INSERT, UPDATE ON log_head TO audit;
