"""Find an exception by its id, or by the end of it as tables show it."""

import re
from collections.abc import Sequence

from chassis.postgres import Connection
from reconciler.adapters import exception_queries
from reconciler.adapters.exception_queries import ExceptionWithHistory

_CHARACTERS_MIN = 4
_END = re.compile(rf"[0-9a-f-]{{{_CHARACTERS_MIN},36}}")


class UnknownExceptionError(Exception):
    """No exception has this id, or an id that ends so."""


class AmbiguousIdError(Exception):
    """Several ids end so: give more of it."""


async def find_id(connection: Connection, text: str) -> str:
    """Return the id of the exception that a person names.

    Args:
        connection: of the reconciler.
        text: the id, or its last four characters or more.

    Raises:
        UnknownExceptionError: there is none.
        AmbiguousIdError: there are several.
    """
    end = text.strip().lower()
    ids: Sequence[str] = ()
    if _END.fullmatch(end):
        ids = await exception_queries.ids_ending(connection, end)
    if not ids:
        short = f"; give at least its last {_CHARACTERS_MIN} characters" if len(end) < _CHARACTERS_MIN else ""
        raise UnknownExceptionError(f"there is no exception whose id is or ends with {text!a:.80}{short}")
    if len(ids) > 1:
        raise AmbiguousIdError(f"several ids end with {end}: give more of it, e.g. {', '.join(ids)}")
    return ids[0]


async def find_exception(connection: Connection, text: str) -> ExceptionWithHistory:
    """Return the exception that a person names, with its history.

    Raises:
        UnknownExceptionError: there is none.
        AmbiguousIdError: there are several.
    """
    exception_id = await find_id(connection, text)
    exception = await exception_queries.get(connection, exception_id)
    if exception is None:
        raise UnknownExceptionError(f"there is no exception {exception_id}")
    return exception
