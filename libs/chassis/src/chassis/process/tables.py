"""Tables of commands: one look in all of them, and no line longer than the terminal.

A command states its columns once and adds rows. The table fits itself to the width::

    table = Table(
        Column("id"),
        Column("title", wraps=30),
        Column("topic", leaves=1),
        Column("tried", right=True, leaves=2),
        empty="no message waits",
    )
    for item in items:
        table.add(item.id, item.title, item.topic, number(item.attempts))
    table.count(len(items), total, "messages")
    print_parts(table, "a line of text")

The first column is the id that other commands take, and stays. Columns with `wraps` are narrowed and
continued below. If that is not enough, columns leave in the order of `leaves`, and the last line names them.
A table that is still too wide shows one record a block, with all of its columns.

The width is $COLUMNS if it is set, else that of the terminal. In a pipe without $COLUMNS each row is one
line, nothing leaves and nothing is cut: for grep and awk. Colours appear on a terminal only, and never with
NO_COLOR.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from chassis.process.table_layout import CUT, GAP, Column, Widths, cut, fit, full_width, wrap
from chassis.process.terminal import printable

__all__ = ["Cell", "Column", "Facts", "Table", "joined", "number", "output_characters", "print_parts"]

CHARACTERS_MIN = 20
"""Of a line. A narrower terminal gets such lines all the same."""
_RULE = "─"
_ASCII = str.maketrans({_RULE: "-", CUT: "~"})

Cell = str | Text
"""Text of a cell; `Text` for a style, which the whole cell gets. Its text may come from anybody."""


@dataclass(frozen=True, slots=True)
class _Damaged:
    """A row that cannot be read."""

    key: str
    reason: str


class Table:
    """Rows of a command's answer.

    Args:
        columns: in the order of the table.
        empty: sentence in place of a table without rows; says that nothing waits, or what would be here.
        title: line above the table.
    """

    def __init__(self, *columns: Column, empty: str, title: str = "") -> None:
        self._columns = columns
        self._empty = empty
        self._title = title
        self._rows: list[tuple[Text, ...] | _Damaged] = []
        self._totals: list[tuple[Text, ...]] = []
        self._notes: list[str] = []

    def add(self, *cells: Cell) -> None:
        """Add a row with a cell for each column."""
        self._rows.append(self._checked(cells))

    def add_damaged(self, key: str, reason: str) -> None:
        """Add a row that cannot be read, with its id and the reason across all other columns."""
        self._rows.append(_Damaged(printable(key), printable(f"unreadable: {reason}")))

    def add_total(self, *cells: Cell) -> None:
        """Add the last row, which sums up the others."""
        self._totals = [self._checked(cells)]

    def add_note(self, text: str) -> None:
        """Add a line below the table."""
        self._notes.append(printable(text))

    def count(self, shown: int, total: int, noun: str, *, more: str = "--limit shows more") -> None:
        """Say below the table how many of all there are, and how to see the rest of a cut list."""
        if shown < total:
            self.add_note(f"{number(shown)} of {number(total)} {noun}; {more}")
        elif shown > 1:
            self.add_note(f"{number(total)} {noun}")

    def lines(self, width: int | None) -> list[Text]:
        """Return the table as lines of at most `width` characters; None: as wide as its content."""
        title = [Text(line, style="bold") for line in wrap(printable(self._title), width) if line]
        if not self._rows:
            return [*title, *map(Text, wrap(self._empty, width))]
        widths = fit(self._columns, self._natural_widths(), width)
        body = self._blocks(width) if widths is None else self._grid(widths, width)
        notes = [*self._notes, *([] if widths is None else self._left(widths))]
        return [*title, *body, *(Text(line, style="dim") for note in notes for line in wrap(note, width))]

    def _checked(self, cells: Sequence[Cell]) -> tuple[Text, ...]:
        return tuple(_cell(cell) for cell, _ in zip(cells, self._columns, strict=True))

    @property
    def _headings(self) -> list[str]:
        return [column.heading for column in self._columns]

    def _natural_widths(self) -> list[int]:
        widths = [cell_len(heading) for heading in self._headings]
        for row in [*self._rows, *self._totals]:
            cells: Sequence[Text] = () if isinstance(row, _Damaged) else row
            for at, cell in enumerate(cells):
                widths[at] = max(widths[at], cell.cell_len)
        return widths

    def _left(self, widths: Widths) -> list[str]:
        names = [heading for at, heading in enumerate(self._headings) if at not in widths]
        return [f"not shown: {', '.join(names)}; a wider terminal shows all columns"] if names else []

    def _grid(self, widths: Widths, width: int | None) -> Iterator[Text]:
        rule = Text(_RULE * full_width(widths), style="dim")
        yield from self._row([Text(heading, style="bold") for heading in self._headings], widths, width)
        yield rule
        for row in self._rows:
            if isinstance(row, _Damaged):
                yield from _named_lines(row.key, Text(row.reason), max(widths[0], cell_len(row.key)), width)
            else:
                yield from self._row(row, widths, width)
        for total in self._totals:
            yield rule
            yield from self._row(total, widths, width)

    def _row(self, cells: Sequence[Text], widths: Widths, width: int | None) -> Iterator[Text]:
        pieces = {at: wrap(cells[at].plain, own) for at, own in widths.items()}
        if width is not None:
            pieces = {at: cut(lines, widths[at]) for at, lines in pieces.items()}
        for index in range(max(map(len, pieces.values()))):
            line = Text()
            for at, own in widths.items():
                piece = pieces[at][index] if index < len(pieces[at]) else ""
                padding = " " * (own - cell_len(piece))
                before, after = (padding, GAP) if self._columns[at].right else ("", padding + GAP)
                line.append(before).append(piece, style=cells[at].style).append(after)
            line.rstrip()
            yield line

    def _blocks(self, width: int | None) -> Iterator[Text]:
        for at, row in enumerate([*self._rows, *self._totals]):
            if at:
                yield Text()
            facts = Facts()
            cells = (Text(row.key), Text(row.reason)) if isinstance(row, _Damaged) else row
            headings = [self._columns[0].heading, ""] if isinstance(row, _Damaged) else self._headings
            for heading, cell in zip(headings, cells, strict=True):
                if cell.plain:
                    facts.add(heading, cell)
            yield from facts.lines(width)


class Facts:
    """One record, a fact a line: name and value."""

    def __init__(self) -> None:
        self._facts: list[tuple[str, Text]] = []

    def add(self, name: str, value: Cell) -> None:
        """Add a fact. Its value may come from anybody."""
        self._facts.append((name, _cell(value)))

    def lines(self, width: int | None) -> list[Text]:
        """Return the facts as lines of at most `width` characters; None: as wide as their content."""
        names = max((cell_len(name) for name, _ in self._facts), default=0)
        return [line for fact in self._facts for line in _named_lines(*fact, names, width)]


def print_parts(*parts: Table | Facts | str, console: Console | None = None) -> None:
    """Print tables, records and lines on standard output, with an empty line around a table or record."""
    out = console or Console(highlight=False)
    width = output_characters()
    lines: list[Text] = []
    for at, part in enumerate(parts):
        if at and not (isinstance(part, str) and isinstance(parts[at - 1], str)):
            lines.append(Text())
        lines += map(Text, wrap(printable(part), width)) if isinstance(part, str) else part.lines(width)
    out.print(joined(lines, ascii_only=out.options.ascii_only), soft_wrap=True)


def joined(lines: Iterable[Text], *, ascii_only: bool = False) -> Text:
    """Return lines as one text, with `-` and `~` for rules and cuts where the encoding lacks them."""
    text = Text("\n").join(lines)
    if ascii_only:
        text.plain = text.plain.translate(_ASCII)
    return text


def output_characters() -> int | None:
    """Return the width of standard output; None in a pipe, where lines are as long as their content."""
    chosen = os.environ.get("COLUMNS", "")
    if not (chosen.isdecimal() and int(chosen)) and not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns, CHARACTERS_MIN)


def number(count: int) -> str:
    """Return a count for a person, such as 1,000."""
    return f"{count:,}"


def _cell(cell: Cell) -> Text:
    return Text(printable(cell.plain), style=cell.style) if isinstance(cell, Text) else Text(printable(cell))


def _named_lines(name: str, value: Text, name_width: int, width: int | None) -> Iterator[Text]:
    """Yield a name and its value, which is continued below itself."""
    room = None if width is None else max(width - name_width - len(GAP), CHARACTERS_MIN // 2)
    for index, piece in enumerate(wrap(value.plain, room)):
        label = "" if index else name
        line = Text().append(label, style="bold").append(" " * (name_width - cell_len(label)) + GAP)
        yield line.append(piece, style=value.style)
