"""The embedded stack: Kafka, PostgreSQL and the services on one machine, without Docker."""
