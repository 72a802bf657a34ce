"""What a command could not write is one line and exit code 2: no traceback, and not the answer "no" (1)."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.composed import SERVICES
from harness.forking import SERVER

pytestmark = pytest.mark.slow  # starts a process for each case

SAMPLE = """
import sys
from typing import Annotated
import typer
from rich.console import Console
from rich.table import Table
from chassis.cli import CommandError, run_cli
from chassis.process.terminal import print_json

# One command without a name, unlike those of `build_cli`.
cli = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

@cli.command()
def answer(
    way: str,
    *,
    key: str | None = None,
    tag: Annotated[list[str] | None, typer.Option()] = None,
    flag: bool = False,
):
    if way == "echo":
        typer.echo("a line")
    elif way == "json":
        print_json({"a": "\\u009b2J\\x7f"})
    elif way == "table":
        table = Table("a")
        table.add_row("b")
        Console().print(table)
    elif way == "bytes":
        sys.stdout.buffer.write(b"x" * 100_000)
    elif way == "letters":
        print("\\u2500\\ud800")
    elif way == "error":
        typer.echo("first")
        raise CommandError("not done")
    elif way == "bug":
        raise ZeroDivisionError
    raise typer.Exit(1)

run_cli(cli)
"""
WAYS = ("echo", "json", "table", "bytes")


def run(*arguments: str, stdout: int | None = None) -> tuple[int, bytes, bytes]:
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = [given.fileno(), out.fileno() if stdout is None else stdout, err.fileno()]
        # The audit service imports all that the sample does.
        code = SERVER.start("audit", arguments, {"PATH": os.environ["PATH"]}, streams, code=SAMPLE).wait(60)
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


def assert_one_line(code: int, errors: bytes) -> None:
    assert (code, errors.count(b"\n")) == (2, 1), errors
    assert errors.startswith(b"error: standard output ")


@pytest.mark.parametrize("way", WAYS)
def test_full_disk_is_one_line_and_exit_2(way: str) -> None:
    with Path("/dev/full").open("wb") as full:
        code, _, errors = run(way, stdout=full.fileno())
    assert_one_line(code, errors)


@pytest.mark.parametrize("way", WAYS)
def test_reader_that_has_gone_is_one_line_and_exit_2(way: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code, _, errors = run(way, stdout=writing)
    os.close(writing)
    assert_one_line(code, errors)


@pytest.mark.parametrize("package", [*SERVICES, "plumbline"])
def test_every_command_line_is_guarded(package: str) -> None:
    with Path("/dev/full").open("wb") as full, tempfile.TemporaryFile() as errors:
        streams = [full.fileno(), full.fileno(), errors.fileno()]
        code = SERVER.start(package, ["--help"], {"PATH": os.environ["PATH"]}, streams).wait(60)
        errors.seek(0)
        written = errors.read()
    assert (code, written.count(b"\n")) == (2, 1), written


def test_closed_output_is_one_line_and_exit_2() -> None:
    shell = ["sh", "-c", f'exec "{sys.executable}" -c "$0" echo >&-', SAMPLE]
    done = subprocess.run(shell, stderr=subprocess.PIPE, check=False)
    assert_one_line(done.returncode, done.stderr)


def test_nothing_can_be_written_at_all_is_exit_2() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", SAMPLE, "echo"]
        assert subprocess.run(command, stdout=full, stderr=full, check=False).returncode == 2


def test_what_can_be_written_is_written_and_the_answer_is_no() -> None:
    assert run("json") == (1, b'{"a":"\\u009b2J\\u007f"}\n', b"")
    assert run("bytes")[:2] == (1, b"x" * 100_000)
    assert run("error") == (2, b"first\n", b"error: not done\n")


def test_letters_that_the_terminal_has_not_are_escaped() -> None:
    command = [sys.executable, "-c", SAMPLE, "letters"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"\\u2500\\ud800\n", b"")


def test_error_of_ours_is_not_the_answer_no() -> None:
    code, _, errors = run("bug")
    assert code == 2
    assert b"ZeroDivisionError" in errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--key", ""], "--key is empty"),
        (["--key", " "], "--key is empty"),
        (["--key=a", "--key", "b"], "--key is given more than once"),
        (["--tag", "a", "--tag", ""], "--tag is empty"),
    ],
)
def test_option_that_is_empty_or_given_twice_is_exit_2(arguments: list[str], told: str) -> None:
    code, output, errors = run("echo", *arguments)
    assert (code, output, errors.count(b"\n")) == (2, b"", 1)
    assert told in errors.decode()


def test_empty_argument_is_exit_2() -> None:
    assert run("")[0] == 2


def test_list_may_be_given_several_times_and_a_flag_too() -> None:
    assert run("echo", "--tag", "a", "--tag", "b", "--flag", "--flag", "--key", "a")[0] == 1
