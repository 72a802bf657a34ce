"""What a command could not do is one line, whatever its cause wrote."""

import pytest

from chassis.cli import EXIT_COULD_NOT, CommandError, build_cli, run_cli


def test_reason_is_one_line_that_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = build_cli("sample")

    @cli.command()
    def fail() -> None:  # pyright: ignore[reportUnusedFunction] - the command line calls it
        raise CommandError("run 7 failed: \x1b[2Jall is well\nok")

    monkeypatch.setattr("sys.argv", ["sample"])
    with pytest.raises(SystemExit) as ended:
        run_cli(cli)
    assert ended.value.code == EXIT_COULD_NOT
    assert capsys.readouterr().err == "error: run 7 failed: \ufffd[2Jall is well ok\n"
