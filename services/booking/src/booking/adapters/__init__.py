"""PostgreSQL: tables of booking; and readers of providers' events."""
