-- Money that did not come by a provider, as a person entered it (BK-16). Undone only by a counter-entry.
CREATE TABLE money_entry (
    entry_id text PRIMARY KEY,
    booking_id uuid NOT NULL REFERENCES booking (booking_id) ON UPDATE RESTRICT ON DELETE RESTRICT,
    -- Minor units of the currency. A counter-entry has the amount of the entry that it undoes.
    amount bigint NOT NULL CONSTRAINT money_entry_amount_check CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    method text NOT NULL,
    received_at timestamptz NOT NULL,
    entered_by text NOT NULL,
    reverses text REFERENCES money_entry (entry_id) ON UPDATE RESTRICT ON DELETE RESTRICT,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (reverses)
);

CREATE INDEX money_entry_booking ON money_entry (booking_id);

-- A person's text, apart from the entry, where it can be erased.
CREATE TABLE money_entry_reason (
    entry_id text PRIMARY KEY,
    reason text NOT NULL
);

CREATE TRIGGER money_entry_rows BEFORE UPDATE OR DELETE ON money_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER money_entry_statements BEFORE UPDATE OR DELETE OR TRUNCATE ON money_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE money_entry ENABLE ALWAYS TRIGGER money_entry_rows;
ALTER TABLE money_entry ENABLE ALWAYS TRIGGER money_entry_statements;

GRANT SELECT ON money_entry TO booking;
GRANT INSERT (
    entry_id, booking_id, amount, currency, method, received_at, entered_by, reverses
) ON money_entry TO booking;
GRANT SELECT, INSERT ON money_entry_reason TO booking;
GRANT SELECT, DELETE ON money_entry_reason TO booking_eraser;
