"""Test folders that processes of other users must read."""

import tempfile
from pathlib import Path


def open_to_all(folder: Path) -> None:
    """Let other users enter a folder and its parents, up to the system's temporary directory.

    pytest's folders are private, and PostgreSQL runs as another user if the tests run as root.
    """
    root = Path(tempfile.gettempdir())
    for each in (folder, *folder.parents):
        if each == root or not each.is_relative_to(root):
            break
        each.chmod(0o755)
