"""`INFRA=embedded|containers|external`, and what is chosen when it is unset. Never a silent choice."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from harness import docker_engine
from harness.containers import IMAGES, container_infra
from harness.embedded import embedded_infra
from harness.external import VARIABLES, external_infra
from harness.infra import Infra

VARIABLE = "INFRA"
_KINDS = {"embedded": embedded_infra, "containers": container_infra, "external": external_infra}


class Engine(Protocol):
    """What is asked of the Docker engine."""

    def why_no_engine(self) -> str:
        """Empty, or why none answers."""
        ...

    def why_not_pulled(self, image: str) -> str:
        """Empty, or why the image cannot be had."""
        ...


class ChoiceError(Exception):
    """What `INFRA` asks for cannot be had: change it, or provide what the message names."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Where the servers come from, and why from there."""

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"infra: {self.kind} ({self.reason})"

    def start(self) -> AbstractAsyncContextManager[Infra]:
        """The servers, running."""
        return _KINDS[self.kind]()


def choose(environ: Mapping[str, str], engine: Engine = docker_engine) -> Choice:
    """Return the choice of `INFRA`; unset, containers where they can be had, else embedded.

    May pull images, in bounded time.

    Raises:
        ChoiceError: what was asked for is not known, or cannot be had.
    """
    asked = environ.get(VARIABLE, "")
    if asked not in {"", *_KINDS}:
        raise ChoiceError(f"{VARIABLE}={asked}: use one of {', '.join(_KINDS)}, or leave it unset")
    if asked == "external" and (missing := [name for name in VARIABLES if not environ.get(name)]):
        raise ChoiceError(f"{VARIABLE}=external: set {' and '.join(missing)} too")
    if asked in {"embedded", "external"}:
        return Choice(asked, f"{VARIABLE} says so")
    obstacle = _why_no_containers(engine)
    if asked and obstacle:
        raise ChoiceError(f"{VARIABLE}=containers: {obstacle}; start an engine, or use {VARIABLE}=embedded")
    if asked:
        return Choice(asked, f"{VARIABLE} says so")
    if obstacle:
        return Choice("embedded", f"{VARIABLE} is unset, and {obstacle}")
    return Choice("containers", f"{VARIABLE} is unset, and a Docker engine with the images is here")


def _why_no_containers(engine: Engine) -> str:
    if reason := engine.why_no_engine():
        return f"no Docker engine answers: {reason}"
    for image in IMAGES:
        if reason := engine.why_not_pulled(image):
            return f"{image} cannot be had: {reason}"
    return ""
