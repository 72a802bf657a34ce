"""Array types of PostgreSQL's own catalogue, whose codecs a session has without asking the server.

asyncpg knows the element types and looks up each array type at its first use in a session: two to four round
trips, with a recursive query over `pg_type`. The numbers of these types are fixed for all versions of
PostgreSQL (`src/include/catalog/pg_type.dat`), so a session gets their codecs when it is opened.
"""

from collections.abc import Iterable
from typing import Protocol

# Element type: its number, the number of its array type. asyncpg has codecs for text[] and oid[].
ARRAY_TYPES = {
    "bool": (16, 1000),
    "bytea": (17, 1001),
    "int2": (21, 1005),
    "int4": (23, 1007),
    "int8": (20, 1016),
    "float8": (701, 1022),
    "json": (114, 199),
    "jsonb": (3802, 3807),
    "date": (1082, 1182),
    "timestamptz": (1184, 1185),
    "interval": (1186, 1187),
    "numeric": (1700, 1231),
    "uuid": (2950, 2951),
    "varchar": (1043, 1015),
}

# The columns of asyncpg's own query for types, as its `register_data_types` reads them.
_TYPE_ROWS = [
    {
        "oid": array_oid,
        "ns": "pg_catalog",
        "name": f"_{element}",
        "kind": b"b",
        "basetype": None,
        "elemtype": element_oid,
        "elemdelim": ",",
        "range_subtype": None,
        "attrtypoids": None,
    }
    for element, (element_oid, array_oid) in ARRAY_TYPES.items()
]


class _Settings(Protocol):
    def register_data_types(self, types: Iterable[object]) -> None: ...


def register_array_types(settings: _Settings) -> None:
    """Give a session, by its `get_settings()`, the codecs of all `ARRAY_TYPES`."""
    settings.register_data_types(_TYPE_ROWS)
