"""PostgreSQL: tables of the reconciler, and booking's published view."""
