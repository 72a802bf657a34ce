-- What the first body said, apart from how it was written (contracts.statements): another writing of the same
-- is a copy and no conflict. NULL where a source is compared by bytes, and in rows from before this column.
ALTER TABLE inbox ADD COLUMN statement text;
