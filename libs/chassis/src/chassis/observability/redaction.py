"""Texts of errors without personal data or secrets."""

from traceback import extract_tb

import asyncpg


def loggable(error: BaseException) -> str:
    """Return one line about an error that may be logged: its class and where it was raised, never a value.

    The texts of most errors quote input: PostgreSQL's DETAIL holds a row's values, a KeyError the key,
    pydantic the input. Only connection errors keep their text, which names hosts and time-outs.
    """
    name = type(error).__name__
    if isinstance(error, asyncpg.PostgresError):
        place = error.constraint_name or error.table_name
        return f"{name} (SQLSTATE {error.sqlstate}{f', {place}' if place else ''})"
    if isinstance(error, OSError | TimeoutError):
        return f"{name}: {error}"
    frames = extract_tb(error.__traceback__)
    return f"{name} at {frames[-1].name}, line {frames[-1].lineno}" if frames else name
