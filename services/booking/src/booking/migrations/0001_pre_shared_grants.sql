-- What the service's login role may do with the tables that every service has.
GRANT SELECT, INSERT ON inbox TO booking;
GRANT SELECT, INSERT, DELETE ON outbox TO booking;
GRANT SELECT, INSERT, UPDATE (status) ON dead_letter TO booking;
GRANT SELECT ON schema_migration TO booking;
