"""The Docker engine of this machine: whether it answers, and whether images are available."""

import gc
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import docker
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

_ANSWER_SECONDS_MAX = 5
_PULL_SECONDS_MAX = 180.0


@contextmanager
def _client() -> Generator[docker.DockerClient]:
    client = docker.from_env(timeout=_ANSWER_SECONDS_MAX)
    try:
        yield client
    finally:
        client.close()


def why_no_engine() -> str:
    """Return why no Docker engine answers, in one line, or an empty string."""
    with warnings.catch_warnings():
        # Without an engine, docker's client leaves its socket to the garbage collector, whose warning would
        # appear in the middle of a test.
        warnings.simplefilter("ignore", ResourceWarning)
        reason = _why_no_answer()
        gc.collect()
    return reason


def _why_no_answer() -> str:
    try:
        with _client() as client:
            client.ping()
    except (DockerException, RequestException) as error:
        return str(error).splitlines()[0]
    return ""


def image_is_here(image: str) -> bool:
    """Return whether the engine has `image` already."""
    with _client() as client:
        try:
            client.images.get(image)
        except ImageNotFound:
            return False
        return True


def why_not_pulled(image: str) -> str:
    """Pull `image` if it is missing, in bounded time. Return why this failed, or an empty string."""
    if image_is_here(image):
        return ""
    deadline = time.monotonic() + _PULL_SECONDS_MAX
    try:
        with _client() as client:
            for event in client.api.pull(*image.split(":"), stream=True, decode=True):
                if "error" in event:
                    return str(event["error"])
                if time.monotonic() > deadline:
                    return f"pulling took more than {_PULL_SECONDS_MAX:.0f} s"
    except (DockerException, RequestException) as error:
        return str(error).splitlines()[0]
    return "" if image_is_here(image) else "the registry sent no image"
