-- Blocks of entries with the words of their fields: a search reads the few blocks that can have a match, newest
-- first, and the entries that are in no block yet (decision 0055). Filled after the fact, so that appending
-- costs nothing. Derived: after TRUNCATE by the owner it is filled anew.
--
-- A block is closed when no entry with a number of its range can come any more. record_time() is the default of
-- event_log's first column, and the number that of the second: a writer holds its lock before it has a number.
CREATE TABLE entry_block (
    first_entry_id bigint PRIMARY KEY,
    last_entry_id bigint NOT NULL UNIQUE CHECK (last_entry_id >= first_entry_id),
    -- Blocks overlap in time where writers did, or where the clock was set back.
    recorded_from timestamptz NOT NULL,
    recorded_to timestamptz NOT NULL,
    words tsvector NOT NULL
);

-- Statistics of lexemes take minutes to collect and do not change the plan.
ALTER TABLE entry_block ALTER COLUMN words SET STATISTICS 0;

-- Words of new blocks wait in a list of at most 512 kB, which every search reads, and are inserted together.
CREATE INDEX entry_block_words ON entry_block USING gin (words) WITH (gin_pending_list_limit = 512);
CREATE INDEX entry_block_newest ON entry_block (recorded_to, first_entry_id);
CREATE INDEX entry_block_oldest ON entry_block (recorded_from, first_entry_id);

GRANT SELECT, INSERT ON entry_block TO audit;

-- Blocks with these words. Reading the words of all blocks looks cheap to the planner, which does not count that
-- they are stored out of line.
CREATE FUNCTION blocks_with(terms tsquery) RETURNS TABLE (
    first_entry_id bigint, last_entry_id bigint, recorded_from timestamptz, recorded_to timestamptz
)
LANGUAGE sql STABLE SET enable_seqscan = off AS $$
    SELECT block.first_entry_id, block.last_entry_id, block.recorded_from, block.recorded_to
    FROM entry_block AS block WHERE block.words @@ terms
$$;
GRANT EXECUTE ON FUNCTION blocks_with(tsquery) TO audit;
