"""Tables of commands fit the terminal: columns leave in a fixed order, and what is left can be read."""

import io
import sys

import pytest
from rich.cells import cell_len
from rich.text import Text

from chassis.process.tables import Column, Facts, Table, output_characters, print_parts

ID = "0192f0c1-2d3e-7a4b-8c5d-6e7f80910213"
SENTENCE = "Stored price 54.00 USD, recomputed 42.00 USD, charged 42.00 USD"


def table(*, title: str = SENTENCE) -> Table:
    shown = Table(
        Column("id"),
        Column("title", wraps=20),
        Column("booking", leaves=1),
        Column("seen", right=True, leaves=2),
        empty="no exception waits",
    )
    shown.add("5bc1f2a0", title, ID, "7")
    shown.add("77d0c3e1", "short", ID, "1,000")
    return shown


def text(part: Table | Facts, width: int | None) -> list[str]:
    return [line.plain for line in part.lines(width)]


def test_whole_table_has_one_line_a_row_and_numbers_at_the_right() -> None:
    heading, rule, first, second = text(table(), None)
    assert heading == f"id        title{' ' * 60}booking{' ' * 32}seen"
    assert rule == "─" * len(heading)
    assert first == f"5bc1f2a0  {SENTENCE}  {ID}      7"
    assert second.endswith("  1,000")


def test_sentence_is_continued_below_before_a_column_leaves() -> None:
    lines = text(table(), 100)
    assert "not shown" not in "".join(lines)
    assert max(map(cell_len, lines)) <= 100
    assert " ".join(line[10:56].strip() for line in lines[2:4]) == SENTENCE


@pytest.mark.parametrize(
    ("width", "left"), [(70, "booking"), (38, "booking"), (36, "booking, seen"), (30, "booking, seen")]
)
def test_columns_leave_in_their_order_and_are_named(width: int, left: str) -> None:
    lines = text(table(), width)
    assert max(map(cell_len, lines)) <= width
    assert f"not shown: {left}; a wider terminal shows all columns" in " ".join(lines)


def test_what_is_too_wide_even_so_is_one_record_a_block_with_all_columns() -> None:
    lines = text(table(), 20)
    assert max(map(cell_len, lines)) <= 20
    assert lines[0] == "id       5bc1f2a0"
    assert lines[lines.index("") + 1] == "id       77d0c3e1"
    assert lines[-1] == "seen     1,000"


def test_long_cell_is_cut_and_says_so_except_in_a_pipe() -> None:
    endless = "words " * 200
    assert [line.rstrip().endswith("…") for line in text(table(title=endless), 60)].count(True) == 1
    assert len(text(table(title=endless), None)) == 4


def test_wide_characters_count_double() -> None:
    lines = text(table(title="予約" * 30), 60)
    assert max(map(cell_len, lines)) <= 60


def test_cut_list_says_how_many_there_are_and_an_empty_one_that_nothing_waits() -> None:
    cut, empty = table(), Table(Column("id"), empty="no exception waits")
    cut.count(2, 1000, "exceptions")
    empty.count(0, 0, "exceptions")
    assert text(cut, None)[-1] == "2 of 1,000 exceptions; --limit shows more"
    assert text(empty, 80) == ["no exception waits"]


def test_damaged_row_shows_its_whole_id_and_the_reason() -> None:
    damaged = table()
    damaged.add_damaged(ID, "title is\n'x'")
    assert text(damaged, 80)[-1] == f"{ID}  unreadable: title is 'x'"
    assert text(damaged, 20)[-2].strip() == "unreadable:"


def test_text_of_others_does_not_steer_the_terminal() -> None:
    assert "\x1b" not in "".join(text(table(title="\x1b[2Jforged\nrow"), None))
    record = Facts()
    record.add("title", "[red]\x1b[2J")
    assert text(record, None) == ["title  [red]\ufffd[2J"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them(
    variables: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    record = Facts()
    record.add("title", Text("high", style="red"))
    print_parts(record)
    printed = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert ("\x1b[31m" in printed) is coloured


def test_pipe_has_no_colour_and_is_as_wide_as_its_content_unless_columns_say_less(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_parts(table(), "a line " * 20)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert len(printed.splitlines()) == 6
    monkeypatch.setenv("COLUMNS", "60")
    print_parts(table(), "a line " * 20)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60
    monkeypatch.setenv("COLUMNS", "wide")
    assert output_characters() is None


def test_encoding_without_rules_gets_plain_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    print_parts(table())
    output.flush()
    output.seek(0)
    assert "-----" in output.read()
