"""Ways to tamper with the sealed log with all rights on its database, and how it must be named (F30).

In the statements `:i` is a random leaf and `:j` another one, `:e` and `:f` are their entries, and the tree
has `:n` leaves. Nothing of the service stands in the way: triggers are off, constraints are dropped.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from audit.adapters.log_leaves import SEALED_FORM
from audit.domain.log.checkpoints import Checkpoint, sign_checkpoint
from audit.domain.log.key_ring import KeyRing
from audit.domain.log.tiles import TILE_WIDTH, Edge
from audit.domain.log.tree import hash_leaf
from audit.handlers.opening import sign_head
from harness.databases import Connection
from harness.sealing import ORIGIN, key_ring

OTHER_SEED = b"\x01" * 32

Class = Literal[
    "payload", "metadata", "delete", "insert", "reorder", "gap", "doubled index", "seal row", "tail cut",
    "head rewritten", "rebuilt with another key", "forked checkpoint",
]  # fmt: skip


@dataclass(slots=True)
class Target:
    """A log to tamper with.

    Attributes:
        keys: of the log, for somebody who has stolen them.
        sizes: of the checkpoints that are kept in `directory`.
    """

    connection: Connection
    rng: random.Random
    size: int
    keys: KeyRing
    directory: Path
    sizes: Sequence[int]

    async def execute(self, changes: Sequence[str], i: int, j: int) -> None:
        """Execute statements about two leaves. What `:e` stands for is read before the first change."""
        rows = await self.connection.fetch(
            "SELECT leaf_index, entry_id FROM log_leaf WHERE leaf_index = ANY($1::bigint[])", [i, j]
        )
        entries = {row["leaf_index"]: row["entry_id"] for row in rows}
        values = {":i": i, ":j": j, ":e": entries[i], ":f": entries[j], ":n": self.size}
        for change in changes:
            statement = change
            for name, value in values.items():
                statement = statement.replace(name, str(value))
            await self.connection.execute(statement)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to tamper.

    Attributes:
        expected: class that the verification must name first.
        changes: statements, or a function that makes the changes.
        at: the first bad index that must be named, of i, j and the size; None where another one can be right.
        in_tiles: whether the leaf is one of those that full tiles attest.
    """

    of: Class
    name: str
    expected: str
    changes: Sequence[str] | Callable[[Target, int], Awaitable[None]]
    at: Callable[[int, int, int], int] | None = lambda i, _j, _n: i
    in_tiles: bool = False


_DELETE_ENTRY = (
    "DELETE FROM event_payload WHERE entry_id = :e",
    "DELETE FROM status_history WHERE entry_id = :e",
    "DELETE FROM event_log WHERE entry_id = :e",
)
_NEW_ENTRY = """
INSERT INTO event_log (
    entry_id, recorded_at, event_type, status, source, event_id, metadata, topic, partition, record_offset,
    payload_digest
) OVERRIDING SYSTEM VALUE
SELECT
    entry_id - 1, recorded_at, event_type, status, source, 'forged', metadata, topic, partition, 7,
    payload_digest
FROM event_log WHERE entry_id = :e
"""
_SEALED_NEW = f"""
INSERT INTO log_leaf (leaf_index, entry_id, sealed)
SELECT :at, entry_id, {SEALED_FORM} FROM event_log AS entry WHERE entry_id = :e - 1
"""
_SEAL_AGAIN = f"""
UPDATE log_leaf SET sealed = {SEALED_FORM} FROM event_log AS entry
WHERE entry.entry_id = log_leaf.entry_id AND leaf_index = :i
"""
_NO_CHECK = "ALTER TABLE log_leaf DROP CONSTRAINT log_leaf_leaf_index_check"
_MOVE_UP = (
    _NO_CHECK,
    "DELETE FROM log_leaf WHERE leaf_index = :i",
    "UPDATE log_leaf SET leaf_index = -leaf_index WHERE leaf_index > :i",
    "UPDATE log_leaf SET leaf_index = -leaf_index - 1 WHERE leaf_index < 0",
)
_MOVE_ON = (
    _NO_CHECK,
    "UPDATE log_leaf SET leaf_index = -leaf_index WHERE leaf_index > :i",
    "UPDATE log_leaf SET leaf_index = -leaf_index + 1 WHERE leaf_index < 0",
    _SEALED_NEW.replace(":at", ":i + 1"),
)
_METADATA = "UPDATE event_log SET metadata = '{\"version\":1}' WHERE entry_id = :e"


async def _rebuild(target: Target, keys: KeyRing, *, head: bool) -> None:
    """Make leaves, tiles and, if wanted, checkpoints anew from the entries as they stand."""
    connection = target.connection
    await connection.execute(
        f"UPDATE log_leaf SET sealed = {SEALED_FORM} FROM event_log AS entry"
        " WHERE entry.entry_id = log_leaf.entry_id"
    )
    leaves = await connection.fetch("SELECT sealed FROM log_leaf ORDER BY leaf_index")
    edge = Edge()
    for tile in edge.append([hash_leaf(leaf["sealed"]) for leaf in leaves]):
        await connection.execute(
            "UPDATE log_tile SET hashes = $3, root = $4 WHERE level = $1 AND tile_index = $2",
            tile.key.level, tile.key.number, b"".join(tile.hashes), tile.root,
        )  # fmt: skip
    if head:
        through = await connection.fetchval("SELECT sealed_through FROM log_head")
        new = sign_head(edge, through, keys)
        await connection.execute(
            "UPDATE log_head SET root = $1, frontier = $2, note = $3", new.root, new.frontier, new.note
        )
        await connection.execute("DELETE FROM log_checkpoint")
        await connection.execute(
            "INSERT INTO log_checkpoint (tree_size, root, note, signed_at)"
            " SELECT tree_size, root, note, signed_at FROM log_head"
        )


def _rebuilt(seed: bytes | None, *, head: bool = True) -> Callable[[Target, int], Awaitable[None]]:
    async def rebuild(target: Target, i: int) -> None:
        await target.execute([_METADATA], i, i)
        await _rebuild(target, target.keys if seed is None else key_ring(seed), head=head)

    return rebuild


def _older_head(*, cut: bool) -> Callable[[Target, int], Awaitable[None]]:
    async def restore(target: Target, _i: int) -> None:
        connection = target.connection
        old = target.rng.choice(target.sizes[:-1])
        row = await connection.fetchrow("SELECT * FROM log_checkpoint WHERE tree_size = $1", old)
        assert row is not None
        leaves = await connection.fetch(
            "SELECT sealed FROM log_leaf WHERE leaf_index < $1 ORDER BY leaf_index", old
        )
        edge = Edge()
        edge.append([hash_leaf(leaf["sealed"]) for leaf in leaves])
        last = await connection.fetchval("SELECT max(entry_id) FROM log_leaf WHERE leaf_index < $1", old)
        await connection.execute(
            "UPDATE log_head SET tree_size = $1, root = $2, note = $3, frontier = $4, sealed_through = $5",
            old, row["root"], row["note"], b"".join(edge.frontier()), last,
        )  # fmt: skip
        await connection.execute("DELETE FROM log_checkpoint WHERE tree_size > $1", old)
        if cut:
            for table in ("event_payload", "status_history", "event_log"):
                await connection.execute(f"DELETE FROM {table} WHERE entry_id > $1", last)
            await connection.execute("DELETE FROM log_leaf WHERE leaf_index >= $1", old)
            await connection.execute(
                "DELETE FROM log_tile WHERE (tile_index + 1) * 256 > $1 AND level = 0", old
            )

    return restore


def _fork(*, in_database: bool) -> Callable[[Target, int], Awaitable[None]]:
    async def fork(target: Target, i: int) -> None:
        size = target.rng.choice(target.sizes)
        other = Checkpoint(ORIGIN, size, hash_leaf(str(i).encode()))
        note = str(sign_checkpoint(other, target.keys.signers, time=1))
        if in_database:
            await target.connection.execute(
                "UPDATE log_checkpoint SET root = $2, note = $3 WHERE tree_size = $1", size, other.root, note
            )
        else:
            (target.directory / f"seen-by-somebody-{size}").write_text(note, encoding="utf-8")

    return fork


def _head(change: str) -> tuple[str, ...]:
    return (f"UPDATE log_head SET {change}",)


def _text(table: str, change: str) -> tuple[str, ...]:
    return (f"UPDATE {table} SET {change} WHERE entry_id = :e",)


_OTHER_PAYLOAD = """
UPDATE event_payload AS p SET salt = o.salt, body = o.body FROM event_payload AS o
WHERE p.entry_id = :e AND o.entry_id = :f
"""
_NEW_DIGEST = """
UPDATE event_log SET payload_digest = (SELECT sha256(salt || 'x') FROM event_payload WHERE entry_id = :e)
WHERE entry_id = :e
"""
_SWAP_LEAVES = (
    _NO_CHECK,
    "UPDATE log_leaf SET leaf_index = -1 WHERE leaf_index = :i",
    "UPDATE log_leaf SET leaf_index = :i WHERE leaf_index = :j",
    "UPDATE log_leaf SET leaf_index = :j WHERE leaf_index = -1",
)
_SWAP_ENTRIES = (
    "UPDATE log_leaf SET entry_id = -1 WHERE leaf_index = :i",
    "UPDATE log_leaf SET entry_id = :e WHERE leaf_index = :j",
    "UPDATE log_leaf SET entry_id = :f WHERE leaf_index = :i",
)
# The entry next to the leaf's that reports no transition: with one more row, it would report one.
_FORGED_TRANSITION = """
INSERT INTO status_history (
    booking_id, version, from_status, to_status, changed_by, recorded_at, entry_id
)
SELECT booking_id, 9, 'confirmed', 'cancelled', 'system', recorded_at, entry_id FROM event_log
WHERE event_type = 'booking.payment-recorded' ORDER BY abs(entry_id - :e) LIMIT 1
"""
_DELETE_UNSEALED = tuple(
    f"DELETE FROM {table} AS row WHERE NOT EXISTS (SELECT FROM log_leaf AS l WHERE l.entry_id = row.entry_id)"
    for table in ("event_payload", "status_history", "event_log")
)
# A gap at the end is a cut tail.
_DELETE_LEAF = ("DELETE FROM log_leaf WHERE leaf_index = least(:i, :n - 2)",)
_SEALED_OTHERWISE = """
UPDATE log_leaf
SET sealed = convert_to(replace(convert_from(sealed, 'UTF8'), '"success"', '"failed"'), 'UTF8')
WHERE leaf_index = :i
"""
_CUT = (
    *(
        f"DELETE FROM {table} WHERE entry_id >= :e"
        for table in ("event_payload", "status_history", "event_log")
    ),
    "DELETE FROM log_leaf WHERE leaf_index >= :i",
    "DELETE FROM log_tile WHERE (tile_index + 1) * 256 > :i AND level = 0",
)
_DOUBLED_LEAF = (
    "ALTER TABLE log_leaf DROP CONSTRAINT log_leaf_pkey",
    "ALTER TABLE log_leaf DROP CONSTRAINT log_leaf_entry_id_key",
    "INSERT INTO log_leaf SELECT :i, entry_id, sealed FROM log_leaf WHERE leaf_index = :j",
)
_COPIED_LEAF = (
    "ALTER TABLE log_leaf DROP CONSTRAINT log_leaf_entry_id_key",
    """
    UPDATE log_leaf SET entry_id = :f, sealed = (SELECT sealed FROM log_leaf WHERE leaf_index = :j)
    WHERE leaf_index = :i
    """,
)
_DOUBLED_ENTRY = (
    "ALTER TABLE event_log DROP CONSTRAINT event_log_pkey CASCADE",
    "ALTER TABLE event_log DROP CONSTRAINT event_log_event_id_source_key",
    "INSERT INTO event_log OVERRIDING SYSTEM VALUE SELECT * FROM event_log WHERE entry_id = :e",
)
_FLIPPED = "set_byte({0}, :i % 32, get_byte({0}, :i % 32) # 1)"
_TILE_HASH = (
    f"UPDATE log_tile SET hashes = {_FLIPPED.format('hashes')} WHERE level = 0 AND tile_index = :i / 256",
)
_SECOND_HEAD = (
    "ALTER TABLE log_head DROP CONSTRAINT log_head_is_head_check",
    "INSERT INTO log_head SELECT false, tree_size, root, frontier, sealed_through, note FROM log_head",
)
_LARGER_NOTE = "note = replace(note, E'\\n' || tree_size || E'\\n', E'\\n' || tree_size + 1 || E'\\n')"


def _before_end(i: int, _j: int, n: int) -> int:
    return min(i, n - 2)


def _behind(i: int, _j: int, _n: int) -> int:
    return i + 1


def _end(_i: int, _j: int, n: int) -> int:
    return n


def _first_of_tile(i: int, _j: int, _n: int) -> int:
    return i // TILE_WIDTH * TILE_WIDTH


def _smaller(i: int, j: int, _n: int) -> int:
    return min(i, j)


WAYS: tuple[Way, ...] = (
    Way("payload", "body", "payload-altered", _text("event_payload", "body = body || ' '")),
    Way("payload", "salt", "payload-altered", _text("event_payload", "salt = sha256('x')")),
    Way("payload", "payload of another entry", "payload-altered", (_OTHER_PAYLOAD,)),
    Way("metadata", "metadata", "entry-altered", (_METADATA,)),
    Way("metadata", "actor", "entry-altered", _text("event_log", "actor = 'nobody'")),
    Way(
        "metadata", "time", "entry-altered", _text("event_log", "recorded_at = recorded_at - interval '1 us'")
    ),
    Way("metadata", "unreadable time", "entry-altered", _text("event_log", "occurred_at = '20000-01-01Z'")),
    Way("metadata", "payload too", "entry-altered", (*_text("event_payload", "body = 'x'"), _NEW_DIGEST)),
    Way("metadata", "sealed form too", "entry-altered", (_METADATA, _SEAL_AGAIN), at=None),
    Way("metadata", "a transition that no entry reports", "history-altered", (_FORGED_TRANSITION,), at=None),
    Way("delete", "entry", "entry-deleted", _DELETE_ENTRY),
    Way("delete", "leaf too, others move up", "entry-deleted", (*_DELETE_ENTRY, *_MOVE_UP), in_tiles=True),
    Way("insert", "entry", "entry-inserted", (_NEW_ENTRY,)),
    Way("insert", "leaf too, others move", "entry-inserted", (_NEW_ENTRY, *_MOVE_ON), at=_behind),
    Way(
        "insert", "leaf at the end", "entry-inserted", (_NEW_ENTRY, _SEALED_NEW.replace(":at", ":n")), at=_end
    ),
    Way(
        "insert",
        "behind a leaf of no tree",
        "entry-inserted",
        (_NO_CHECK, _NEW_ENTRY, _SEALED_NEW.replace(":at", "-1")),
        at=None,
    ),
    Way(
        "insert",
        "with an id that was never given",
        "entry-inserted",
        (_NEW_ENTRY.replace("entry_id - 1", "entry_id + 1000000"),),
        at=None,
    ),
    Way("reorder", "two leaves", "leaves-reordered", _SWAP_LEAVES, at=_smaller),
    Way("reorder", "entries of two leaves", "leaves-reordered", _SWAP_ENTRIES, at=_smaller),
    Way("gap", "leaf", "leaf-missing", _DELETE_LEAF, at=_before_end),
    Way("gap", "leaf and entry", "leaf-missing", (*_DELETE_LEAF, *_DELETE_UNSEALED), at=_before_end),
    Way("doubled index", "two leaves of one index", "leaf-doubled", _DOUBLED_LEAF),
    Way("doubled index", "two leaves of one entry", "leaf-doubled", _COPIED_LEAF),
    Way("doubled index", "an entry twice", "leaf-doubled", _DOUBLED_ENTRY),
    Way("seal row", "sealed form", "seal-altered", (_SEALED_OTHERWISE,)),
    Way("seal row", "entry", "seal-altered", ("UPDATE log_leaf SET entry_id = -7 WHERE leaf_index = :i",)),
    Way(
        "seal row",
        "tile",
        "tile-altered",
        _TILE_HASH,
        at=_first_of_tile,
        in_tiles=True,
    ),
    Way("tail cut", "all but the head", "tail-cut", _CUT),
    Way("tail cut", "an older head restored", "tail-cut", _older_head(cut=True), at=None),
    Way("head rewritten", "root", "head-rewritten", _head(f"root = {_FLIPPED.format('root')}"), at=None),
    Way("head rewritten", "size", "head-rewritten", _head("tree_size = tree_size + 1"), at=None),
    Way(
        "head rewritten",
        "frontier",
        "head-rewritten",
        _head(f"frontier = {_FLIPPED.format('frontier')}"),
        at=None,
    ),
    Way("head rewritten", "note", "head-rewritten", _head(_LARGER_NOTE), at=None),
    Way(
        "head rewritten",
        "ids that were never given are sealed",
        "head-rewritten",
        _head("sealed_through = sealed_through + 1000"),
        at=None,
    ),
    Way("head rewritten", "a second one", "head-rewritten", _SECOND_HEAD, at=None),
    Way("head rewritten", "removed", "head-rewritten", ("DELETE FROM log_head",), at=None),
    Way("head rewritten", "an older one restored", "head-rewritten", _older_head(cut=False), at=None),
    Way("rebuilt with another key", "all of it", "tree-rebuilt", _rebuilt(OTHER_SEED), at=None),
    Way(
        "rebuilt with another key",
        "all but the head",
        "tree-rebuilt",
        _rebuilt(None, head=False),
        at=None,
        in_tiles=True,
    ),
    Way("forked checkpoint", "in a file", "forked-checkpoint", _fork(in_database=False), at=None),
    Way("forked checkpoint", "in the database", "forked-checkpoint", _fork(in_database=True), at=None),
    Way("forked checkpoint", "rebuilt with the own key", "forked-checkpoint", _rebuilt(None), at=None),
)


# What nobody finds who has no checkpoint from outside the database.
HIDDEN = tuple(way for way in WAYS if way.name in {"an older head restored", "rebuilt with the own key"})


async def tamper(target: Target, way: Way, i: int | None = None) -> tuple[int, int]:
    """Tamper with a leaf, a random one unless it is given. Return the leaf, and the second one."""
    if i is None:
        i = target.rng.randrange(target.size // TILE_WIDTH * TILE_WIDTH if way.in_tiles else target.size)
    j = target.rng.randrange(target.size)
    while j == i:
        j = target.rng.randrange(target.size)
    if callable(way.changes):
        await way.changes(target, i)
    else:
        await target.execute(way.changes, i, j)
    return i, j
