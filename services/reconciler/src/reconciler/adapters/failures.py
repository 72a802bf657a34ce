"""What a database can fail with, for those who may not know the driver."""

import asyncpg

DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""The server cannot be reached, or it refuses."""
