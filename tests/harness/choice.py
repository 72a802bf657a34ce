"""The choice of the servers: `INFRA=embedded|containers|external`. The test report shows the choice."""

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
    """The questions to the Docker engine."""

    def why_no_engine(self) -> str:
        """Return why no engine answers, or an empty string."""
        ...

    def why_not_pulled(self, image: str) -> str:
        """Return why the image is not available, or an empty string."""
        ...


class ChoiceError(Exception):
    """The choice of `INFRA` is not available: the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The kind of servers, and the reason for this choice."""

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"infra: {self.kind} ({self.reason})"

    def start(self) -> AbstractAsyncContextManager[Infra]:
        """Return a context in which the servers run."""
        return _KINDS[self.kind]()


def choose(environ: Mapping[str, str], engine: Engine = docker_engine) -> Choice:
    """Return the choice of `INFRA`. If unset: containers if available, else embedded.

    Pulls images if they are missing, in bounded time.

    Raises:
        ChoiceError: `INFRA` has an unknown value, or its servers are not available.
    """
    requested = environ.get(VARIABLE, "")
    if requested not in {"", *_KINDS}:
        raise ChoiceError(f"{VARIABLE}={requested}: use one of {', '.join(_KINDS)}, or leave it unset")
    if requested == "external" and (missing := [name for name in VARIABLES if not environ.get(name)]):
        raise ChoiceError(f"{VARIABLE}=external: set {' and '.join(missing)} too")
    if requested in {"embedded", "external"}:
        return Choice(requested, f"{VARIABLE} says so")
    obstacle = _why_no_containers(engine)
    if requested and obstacle:
        raise ChoiceError(f"{VARIABLE}=containers: {obstacle}; start an engine, or use {VARIABLE}=embedded")
    if requested:
        return Choice(requested, f"{VARIABLE} says so")
    if obstacle:
        return Choice("embedded", f"{VARIABLE} is unset, and {obstacle}")
    return Choice("containers", f"{VARIABLE} is unset, and a Docker engine with the images is here")


def _why_no_containers(engine: Engine) -> str:
    if reason := engine.why_no_engine():
        return f"no Docker engine answers: {reason}"
    for image in IMAGES:
        if reason := engine.why_not_pulled(image):
            return f"{image} is not available: {reason}"
    return ""
