-- Why a person discarded or replayed a message stands beside the record of it, where it can be erased (ALL-8).
GRANT INSERT (is_reason_typed) ON dead_letter_action TO reconciler;
GRANT SELECT, INSERT ON dead_letter_action_reason TO reconciler;

-- What an erasure may do, and nothing else. Nobody logs in as this role (docs/privacy.md).
GRANT USAGE ON SCHEMA reconciler TO reconciler_eraser;
GRANT SELECT, DELETE ON dead_letter_action_reason TO reconciler_eraser;
GRANT SELECT, UPDATE (key, value, headers, error) ON dead_letter TO reconciler_eraser;
