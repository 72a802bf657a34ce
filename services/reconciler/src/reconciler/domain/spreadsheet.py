"""CSV for spreadsheets: cells that a spreadsheet would execute as a formula become text (REC-9d)."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from contracts.metadata import format_time

Cell = str | int | Decimal | bool | datetime | None

# Full-width forms too: spreadsheets of East Asian languages read them as the plain ones.
_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the full-width forms are meant
_INVISIBLE = re.compile(r"\A[\s\u200b-\u200d\u2060\ufeff]+")
_ESCAPE = "'"


def escape(text: str) -> str:
    """Return a text that no spreadsheet executes: with an apostrophe before the start of a formula.

    White space and invisible characters before the start are passed over, as some spreadsheets do.
    """
    visible = _INVISIBLE.sub("", text, count=1)
    is_formula = text.startswith(_STARTS) or visible.startswith(_STARTS)
    return _ESCAPE + text if is_formula else text


def to_csv(rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as CSV (RFC 4180). Texts are quoted and escaped, numbers are bare, None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerows([[_cell(cell) for cell in row] for row in rows])
    return text.getvalue()


def _cell(cell: Cell) -> str | int | Decimal:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case datetime():
            return format_time(cell)
        case str():
            return escape(cell)
        case _:
            return cell
