"""Folders of a test that somebody else's processes have to get into."""

import tempfile
from pathlib import Path


def open_to_all(folder: Path) -> None:
    """Let other accounts enter a folder and those above it, up to the system's temporary directory.

    pytest closes its folders to others, and as root PostgreSQL runs under another account.
    """
    root = Path(tempfile.gettempdir())
    for each in (folder, *folder.parents):
        if each == root or not each.is_relative_to(root):
            break
        each.chmod(0o755)
