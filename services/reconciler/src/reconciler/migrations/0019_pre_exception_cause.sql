-- squawk-ignore-file adding-field-with-default
-- The key of exceptions with one cause (REC-9a): type, class, line, sign, rate card and engine version. Texts of any
-- length become a key of one length. The queue is small enough to be written anew for the column.
ALTER TABLE exception ADD COLUMN cause text NOT NULL GENERATED ALWAYS AS (
    md5(
        quote_nullable(type) || quote_nullable(drift_class) || quote_nullable(line) || quote_nullable(rate_card)
        || quote_nullable(engine) || coalesce(sign(amount)::text, '')
    )
) STORED;
