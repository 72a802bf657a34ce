-- Idempotency keys of the reconciler's POST routes (BK-13).
GRANT SELECT, INSERT, DELETE ON idempotent_request TO reconciler;
-- A stored answer can hold text that a person typed.
GRANT SELECT, UPDATE (body) ON idempotent_request TO reconciler_eraser;
