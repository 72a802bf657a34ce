"""The tables that a verification reads are those of the migrations, and not altered ones or views (AU-4)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from chassis.postgres import Connection

_TABLES = """
SELECT
    pg_class.relname AS name,
    CASE
        WHEN relkind NOT IN ('r', 'p') THEN 'it is no table'
        WHEN relrowsecurity THEN 'row security hides rows of it'
        WHEN relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = pg_class.oid)
        THEN 'another table adds rows to it'
    END AS problem,
    attname AS column, pg_catalog.format_type(atttypid, atttypmod) AS type, attnotnull AS is_not_null
FROM pg_catalog.pg_class
JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
JOIN pg_catalog.pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
WHERE nspname = 'audit' AND pg_class.relname = ANY($1::text[])
"""

_TIME, _FILLED = "timestamp with time zone", " NOT NULL"
# What NULL means in the other columns is part of the verification.
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "event_log": {
        **dict.fromkeys(
            ("event_type", "status", "source", "event_id", "booking_id", "actor", "error", "topic"), "text"
        ),
        **dict.fromkeys(("correlation_id", "causation_id"), "text"),
        **dict.fromkeys(("entry_id", "record_offset"), "bigint"),
        **dict.fromkeys(("recorded_at", "occurred_at"), _TIME),
        "metadata": "json",
        "partition": "integer",
        "payload_digest": "bytea",
    },
    "event_payload": {
        "entry_id": "bigint",
        "salt": "bytea NOT NULL",
        "body": "bytea NOT NULL",
        "texts": "json",
    },
    "event_rendering": {"entry_id": "bigint", "body_sha256": "bytea NOT NULL", "body": "bytea NOT NULL"},
    "status_history": {
        **dict.fromkeys(("entry_id", "version"), "bigint"),
        **dict.fromkeys(("booking_id", "from_status", "to_status", "changed_by"), "text"),
        "recorded_at": _TIME,
    },
    "log_leaf": {"leaf_index": "bigint", "entry_id": "bigint", "sealed": "bytea NOT NULL"},
    "log_tile": {
        "level": "smallint",
        "tile_index": "bigint",
        "hashes": "bytea NOT NULL",
        "root": "bytea NOT NULL",
    },
    "log_head": {
        "tree_size": "bigint NOT NULL",
        "root": "bytea NOT NULL",
        "frontier": "bytea NOT NULL",
        "sealed_through": "bigint NOT NULL",
        "note": "text NOT NULL",
    },
    "log_checkpoint": {"tree_size": "bigint", "root": "bytea NOT NULL", "note": "text NOT NULL"},
}


async def altered(connection: Connection) -> Sequence[str]:
    """Return what of the tables is not as the migrations made it, each in a few words."""
    stored = defaultdict[str, dict[str, tuple[str, bool]]](dict)
    problems: dict[str, str] = {}
    for row in await connection.fetch(_TABLES, list(_COLUMNS)):
        stored[row["name"]][row["column"]] = row["type"], row["is_not_null"]
        if row["problem"]:
            problems[row["name"]] = f"{row['name']}: {row['problem']}"
    for table, columns in _COLUMNS.items():
        if table not in stored:
            problems.setdefault(table, f"{table} is missing")
            continue
        for column, expected in columns.items():
            stored_type, is_not_null = stored[table].get(column, ("missing", True))
            if stored_type != expected.removesuffix(_FILLED):
                problems.setdefault(table, f"{table}.{column} is {stored_type}, not {expected}")
            elif expected.endswith(_FILLED) and not is_not_null:
                problems.setdefault(table, f"{table}.{column} is no longer NOT NULL")
    return list(problems.values())
