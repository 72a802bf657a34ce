"""Find in PostgreSQL's catalogue what could let a role change an append-only table in spite of its triggers.

The triggers bind every role, also the owner and under `session_replication_role = replica`, as long as they
are those of the migrations and no other trigger runs before them. Functions are compared by body: a name
proves nothing.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import asyncpg

from chassis.postgres.database import Connection
from chassis.postgres.migrations import find_migrations

# Names of trigger functions that refuse changes begin so: `refuse_change_of_…` lets one role pass.
_GUARD = "refuse_change"

_FUNCTION = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(\) RETURNS trigger\s.*?AS \$\$(.*?)\$\$", re.DOTALL
)
_TRIGGER = re.compile(r"CREATE TRIGGER \w+[^;]*?\sON (\w+)[^;]*?EXECUTE FUNCTION (\w+)\(")

# pg_has_role is true of a superuser whatever the role.
_SURROUNDINGS = """
SELECT problem FROM pg_class AS history
JOIN pg_namespace AS schema ON schema.oid = history.relnamespace
JOIN pg_database AS database ON datname = current_database()
CROSS JOIN LATERAL (VALUES
    (history.relkind NOT IN ('r', 'p'), 'it is not a table any more: restore it'),
    (pg_has_role(history.relowner, 'MEMBER'),
        'the service''s role owns it or may become its owner: ALTER TABLE … OWNER TO, or revoke membership'),
    (pg_has_role(schema.nspowner, 'MEMBER'),
        'the service''s role owns its schema: run `plumbline databases apply`'),
    (pg_has_role(database.datdba, 'MEMBER'),
        'the service''s role owns its database: run `plumbline databases apply`'),
    (history.relrowsecurity OR history.relforcerowsecurity
        OR EXISTS (SELECT FROM pg_policy WHERE polrelid = history.oid),
        'row level security decides which rows are seen: disable it and drop its policies'),
    (EXISTS (SELECT FROM pg_rewrite WHERE ev_class = history.oid),
        'a rule rewrites statements before any trigger sees them: drop it'),
    (EXISTS (
        SELECT FROM pg_inherits WHERE inhparent = history.oid AND history.relkind = 'r'
            OR inhrelid = history.oid AND NOT history.relispartition
    ), 'a table inherits from it, or it inherits from a table, without triggers: ALTER TABLE … NO INHERIT')
) AS checked (is_wrong, problem)
WHERE history.oid = $1::regclass AND is_wrong
LIMIT 1
"""

# Privileges of this role, PUBLIC, and every role that this role may become. TRIGGER allows to add a trigger
# that runs before ours.
_GRANTED = """
SELECT string_agg(DISTINCT privilege, ', ' ORDER BY privilege)
FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS privilege
JOIN pg_roles ON pg_has_role(pg_roles.oid, 'MEMBER')
WHERE has_table_privilege(pg_roles.oid, $1::regclass, privilege)
    OR privilege = 'UPDATE' AND has_any_column_privilege(pg_roles.oid, $1::regclass, privilege)
"""

_CHOSEN = """
SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
    AND (attidentity <> '' OR atthasdef AND attgenerated = '')
    AND has_column_privilege($1::regclass, attnum, 'INSERT')
"""

_PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1"

_TRIGGERS = """
SELECT tgname AS name, tgtype AS type, proname AS function, prosrc AS body,
    tgenabled = 'A' AND tgqual IS NULL AND tgattr::text = '' AS is_whole,
    lanname = 'plpgsql' AND NOT prosecdef AND proconfig IS NULL AS is_plain,
    pg_has_role(proowner, 'MEMBER') AS is_own
FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_language ON pg_language.oid = prolang
WHERE tgrelid = $1::regclass AND NOT tgisinternal
ORDER BY tgname
"""

# Bits of tgtype.
_ROW, _BEFORE, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 8, 16, 32
_ROWS_GUARDED = _ROW | _BEFORE | _DELETE | _UPDATE
_STATEMENTS_GUARDED = _BEFORE | _DELETE | _UPDATE | _TRUNCATE


@dataclass(frozen=True, slots=True)
class Shipped:
    """Trigger functions that the migrations create.

    Attributes:
        bodies: trigger function → every body that a migration gave it. A `post` migration changes a body, so
        that
            the previous version of the service, which knows the old body only, can still start until then.
        functions: table → functions of its triggers.
    """

    bodies: Mapping[str, AbstractSet[str]]
    functions: Mapping[str, AbstractSet[str]]


def read_shipped(packages: Sequence[str]) -> Shipped:
    """Return the trigger functions that the migrations of these packages create."""
    sql = "\n".join(migration.sql for migration in find_migrations(packages))
    bodies: dict[str, set[str]] = {}
    for name, body in _FUNCTION.findall(sql):
        bodies.setdefault(name, set()).add(_without_indentation(body))
    functions: dict[str, set[str]] = {}
    for table, function in _TRIGGER.findall(sql):
        functions.setdefault(table, set()).add(function)
    return Shipped(bodies, functions)


def _without_indentation(body: str) -> str:
    # A body restored by hand may have other indentation.
    return "\n".join(line.strip() for line in body.splitlines() if line.strip())


async def problem_of(connection: Connection, table: str, shipped: Shipped) -> str:
    """Return how a role could change the table, and what to do about it; empty if no role can.

    A statement can name a partition of the table, so partitions are checked like the table.

    Args:
        connection: of the service's own role.
        table: on the search path.
        shipped: trigger functions of the migrations.
    """
    guards = shipped.functions.get(table)
    if problem := await _problem_of_one(connection, table, shipped, guards):
        return problem
    for row in await connection.fetch(_PARTITIONS, table):
        if problem := await _problem_of_one(connection, row[0], shipped, guards):
            return f"partition {row[0]}: {problem}"
    return ""


async def _problem_of_one(
    connection: Connection, table: str, shipped: Shipped, guards: AbstractSet[str] | None
) -> str:
    if problem := await connection.fetchval(_SURROUNDINGS, table):
        return str(problem)
    if granted := await connection.fetchval(_GRANTED, table):
        return f"the service's role has been granted {granted}: revoke it"
    if chosen := await connection.fetchval(_CHOSEN, table):
        return f"the service's role may choose {chosen}, which the database sets: revoke INSERT on them"
    return _triggers_problem(await connection.fetch(_TRIGGERS, table), shipped, guards)


def _triggers_problem(
    triggers: Sequence[asyncpg.Record], shipped: Shipped, guards: AbstractSet[str] | None
) -> str:
    rows_guarded = statements_guarded = False
    for trigger in triggers:
        function, kind = trigger["function"], trigger["type"]
        if trigger["is_own"]:
            return f"the service's role owns its trigger's function {function}: give it to the table's owner"
        body = _without_indentation(trigger["body"])
        if not trigger["is_plain"] or body not in shipped.bodies.get(function, ()):
            return (
                f"its trigger {trigger['name']} calls {function}, which is not from the migrations or was"
                " changed: restore the function from the migrations, or drop the trigger"
            )
        is_guard = function.startswith(_GUARD) and function in (guards or {function})
        if trigger["is_whole"] and is_guard:
            rows_guarded |= kind & _ROWS_GUARDED == _ROWS_GUARDED
            statements_guarded |= not kind & _ROW and kind & _STATEMENTS_GUARDED == _STATEMENTS_GUARDED
    if not (rows_guarded and statements_guarded):
        return "the ENABLE ALWAYS triggers that refuse changes are missing: restore them from the migrations"
    return ""
