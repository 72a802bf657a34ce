"""Layout of tables: which columns stay, how wide each is, and how text is broken into lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

GAP = "  "
CUT = "…"
LINES_MAX = 4
"""Of a cell in a table of limited width."""

Widths = Mapping[int, int]
"""Width of each column that stays, by its place, in characters."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: nouns in lower case.
        right: align at the right; for numbers and amounts.
        wraps: characters down to which it may be narrowed, and continued below; for sentences. 0: not at all.
        leaves: place in the order in which columns leave a narrow table, from 1 on; 0 stays.
    """

    heading: str
    right: bool = False
    wraps: int = 0
    leaves: int = 0


def fit(columns: Sequence[Column], natural: Sequence[int], width: int | None) -> Widths | None:
    """Return the columns that stay and their widths; None if not even those fit that always stay.

    Args:
        columns: of the table.
        natural: width of each column's longest cell.
        width: of a line; None: unlimited.
    """
    widths = dict(enumerate(natural))
    if width is None:
        return widths
    smallest = {at: _smallest(columns[at], own) for at, own in widths.items()}
    leaving = sorted((at for at in widths if columns[at].leaves), key=lambda at: columns[at].leaves)
    while full_width(smallest) > width:
        if not leaving:
            return None
        smallest.pop(leaving.pop(0))
    return _grown(smallest, natural, width - full_width(smallest))


def full_width(widths: Widths) -> int:
    """Return the width of a line with all columns and the gaps between them."""
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)


def wrap(text: str, width: int | None) -> list[str]:
    """Return a text as lines of at most `width` characters, broken at spaces where possible."""
    if width is None or cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if cell_len(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(word, width) or [""]
        lines += full
    return [*lines, line]


def cut(lines: list[str], width: int) -> list[str]:
    """Return at most LINES_MAX lines; the last one ends with CUT if there are more."""
    if len(lines) <= LINES_MAX:
        return lines
    last = chop_cells(f"{lines[LINES_MAX - 1]} ", width - 1)[0].rstrip()
    return [*lines[: LINES_MAX - 1], f"{last}{CUT}"]


def _smallest(column: Column, natural: int) -> int:
    return min(natural, max(column.wraps, cell_len(column.heading))) if column.wraps else natural


def _grown(widths: Widths, natural: Sequence[int], room: int) -> Widths:
    """Share the room evenly among the narrowed columns, as far as each needs it."""
    grown = dict(widths)
    while room > 0 and (narrow := [at for at in grown if grown[at] < natural[at]]):
        share = max(room // len(narrow), 1)
        for at in narrow:
            step = min(share, natural[at] - grown[at], room)
            grown[at] += step
            room -= step
    return grown
