"""A service with one component that the environment controls, for tests of a whole process."""

import os
import sys

from litestar import get

from chassis.http.app import build_app
from chassis.observability.logs import configure_logs
from chassis.observability.metrics import Metrics
from chassis.process.environment import load_settings
from chassis.process.health import Check, Health
from chassis.process.lifecycle import Lifecycle
from chassis.service import Service
from chassis.settings import ServiceSettings


class SlowStarter:
    """Starts when the environment lets it."""

    name = "starter"

    async def start(self) -> None:
        if os.environ["STARTER"] == "never":
            raise ConnectionRefusedError("no such server")

    async def stop(self) -> None:
        sys.stdout.write("starter stopped\n")

    async def check(self) -> Check:
        return Check(ok=True)


@get("/fails")
async def fails() -> None:
    raise RuntimeError("secret-4711")


def build(settings: ServiceSettings) -> Service:
    metrics, health = Metrics("sample"), Health()
    lifecycle = Lifecycle(settings, [SlowStarter()], health)
    app = build_app(
        title="sample",
        handlers=[fails],
        health=health,
        metrics=metrics,
        guard=None,
        lifespan=[lifecycle.lifespan],
    )
    return Service("sample", settings, app, lifecycle, host="127.0.0.1", port=int(os.environ["PORT"]))


if __name__ == "__main__":
    configure_logs("sample", log_format="json", level="INFO")
    sys.exit(build(load_settings(ServiceSettings)).serve())
