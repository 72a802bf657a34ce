"""A copy of the work tree with an interpreter that sees the copy alone, in every process it starts.

Environment variables would not do: the harness hands none of them to service processes. But they start with
the interpreter that runs the tests, so the copy gets a virtual environment of its own: the packages of the
real one, without its links to the real sources, and the copy's sources instead.
"""

import shutil
import subprocess
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
_SOURCE_ROOTS = ("contracts/src", "libs/*/src", "services/*/src", "deploy/local/src")


@contextmanager
def snapshot() -> Iterator[Path]:
    """The sources as they are now, so that nothing that is edited during a run gets into it."""
    with tempfile.TemporaryDirectory(prefix="plumbline-mutants-") as name:
        yield Path(shutil.copytree(ROOT, Path(name) / "sources", ignore=_LEFT_OUT))


@contextmanager
def copied_tree(sources: Path) -> Iterator[Path]:
    """A fresh copy of a snapshot, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="plumbline-mutant-", ignore_cleanup_errors=True) as name:
        tree = Path(shutil.copytree(sources, Path(name) / "tree"))
        venv.create(tree / ".venv", symlinks=True)
        paths = [*_source_roots(tree), sysconfig.get_path("purelib")]
        site = sysconfig.get_path("purelib", vars={"base": str(tree / ".venv")})
        (Path(site) / "tree.pth").write_text("\n".join(map(str, paths)))
        yield tree


def interpreter(tree: Path) -> Path:
    """The one that sees the copy."""
    return tree / ".venv" / "bin" / "python"


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
