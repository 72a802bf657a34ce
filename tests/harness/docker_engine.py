"""What the Docker engine of this machine can give: whether it answers, and which images can be had."""

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
    """Empty when a Docker engine answers, else why not, in one line."""
    with warnings.catch_warnings():
        # Where nobody answers, docker's client leaves its socket to the garbage collector, which would
        # complain about it in the middle of some test.
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
    """Empty when `image` is here, if need be after pulling it in bounded time; else why not."""
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
