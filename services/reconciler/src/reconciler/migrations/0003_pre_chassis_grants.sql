-- What the service may do with the tables that every service has.
GRANT SELECT, INSERT ON inbox TO reconciler;
GRANT SELECT, INSERT, DELETE ON outbox TO reconciler;
GRANT SELECT, INSERT, UPDATE (status) ON dead_letter TO reconciler;
GRANT SELECT ON schema_migration TO reconciler;
