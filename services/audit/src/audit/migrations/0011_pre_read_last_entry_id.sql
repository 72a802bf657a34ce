-- The sealer reads the last entry_id that was taken, and never takes one (AU-4).
GRANT SELECT ON SEQUENCE event_log_entry_id_seq TO audit;
