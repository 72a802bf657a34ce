"""A copy of the work tree with an interpreter that imports the copy alone, in every process.

The harness passes no environment variables to service processes, but starts them with the interpreter of the
tests. So the copy has a virtual environment: packages and commands of the real one, with the copy's sources
in place of the links to the real sources.
"""

import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mutation.mutants import ROOT

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "__pycache__", ".*_cache", ".hypothesis", "node_modules"
)
_SOURCE_ROOTS = ("contracts/src", "libs/*/src", "services/*/src", "deploy/local/src", "tools/src")


@contextmanager
def snapshot() -> Iterator[Path]:
    """Copy the sources, so that later edits do not change a run."""
    with tempfile.TemporaryDirectory(prefix="plumbline-mutants-") as name:
        yield Path(shutil.copytree(ROOT, Path(name) / "sources", ignore=_LEFT_OUT))


@contextmanager
def copied_tree(sources: Path) -> Iterator[Path]:
    """Copy a snapshot; the copy is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="plumbline-mutant-", ignore_cleanup_errors=True) as name:
        tree = Path(shutil.copytree(sources, Path(name) / "tree"))
        venv.create(tree / ".venv", symlinks=True)
        paths = [*_source_roots(tree), sysconfig.get_path("purelib")]
        site = sysconfig.get_path("purelib", vars={"base": str(tree / ".venv")})
        (Path(site) / "tree.pth").write_text("\n".join(map(str, paths)))
        _copy_commands(interpreter(tree))
        yield tree


def interpreter(tree: Path) -> Path:
    return tree / ".venv" / "bin" / "python"


def _copy_commands(python: Path) -> None:
    """Write the commands of this installation beside the copy's interpreter, to be run by it.

    Tests that follow a page in a shell find `audit` or `plumbline` there.
    """
    first_line = f"#!{Path(sys.executable).parent / 'python'}\n".encode()
    for command in Path(sys.executable).parent.iterdir():
        text = command.read_bytes()
        if text.startswith(first_line):
            copy = python.with_name(command.name)
            copy.write_bytes(f"#!{python}\n".encode() + text.removeprefix(first_line))
            copy.chmod(0o755)


def assert_apart(tree: Path) -> None:
    """Fail unless the copy's own packages are imported: a run on the real ones would prove nothing."""
    names = [source.name for root in _source_roots(tree) for source in root.iterdir() if source.is_dir()]
    question = f"import {', '.join(names)}; print(*[p.__file__ for p in ({', '.join(names)},)], sep='\\n')"
    answer = subprocess.run(
        [interpreter(tree), "-c", question], cwd=tree, capture_output=True, text=True, check=True
    )
    if strangers := [path for path in answer.stdout.split() if not Path(path).is_relative_to(tree)]:
        raise AssertionError(f"imported from outside of the copy: {', '.join(strangers)}")


def _source_roots(tree: Path) -> list[Path]:
    return sorted(path for pattern in _SOURCE_ROOTS for path in tree.glob(pattern))
