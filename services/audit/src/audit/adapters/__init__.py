"""PostgreSQL: tables of audit."""
