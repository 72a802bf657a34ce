"""The gateways that are compared: Plumbline's, and its peers."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import gateway_benthos
from bench.row import Side
from harness.ports import free_port
from plumbline.service_process import ServiceProcess

SURVIVES = "process dies: each 2xx; machine dies: what the broker has synced"
"""Alike on every side: each answers after the ack of all in-sync replicas, of which there is one here."""

OURS, OURS_TWICE = "plumbline", "plumbline, 2 processes"
TUTORIAL, TUNED, BARE = "FastAPI, tutorial", "FastAPI, tuned", "bare ASGI"
BENTHOS, BENTHOS_LEAN = "Benthos", "Benthos, lean"
ROUTE = "route alone"
"""The yardstick."""

_UVICORN = (
    *(sys.executable, "-m", "uvicorn", "--app-dir", str(Path(__file__).parent / "peers")),
    *("--host", "127.0.0.1", "--port", "{port}"),
)
_TUNED = (*_UVICORN, "--http", "httptools", "--loop", "asyncio", "--no-access-log")
_SERVE = (sys.executable, "-m", "webhook_gateway", "serve")


@dataclass(frozen=True, slots=True)
class Gateway:
    """How one is started.

    Attributes:
        command: `{port}` stands for where it listens; others read it from the environment.
        ready_path: answers 200 when it can work.
        ready_port_offset: from the port that takes deliveries to the one that says whether it is ready.
    """

    command: Sequence[str]
    ready_path: str = "/ready"
    ready_port_offset: int = 0

    def process(self, name: str, environment: Mapping[str, str], log: Path) -> tuple[ServiceProcess, int]:
        """One process of it, to be started, and the port that it will listen on."""
        port = free_port(2)
        ready = f"127.0.0.1:{port + self.ready_port_offset}"
        told = {
            "WEBHOOK_GATEWAY_HOST": "127.0.0.1",
            "WEBHOOK_GATEWAY_PORT": str(port),
            "HTTP_ADDRESS": f"127.0.0.1:{port}",
            "READY_ADDRESS": ready,
        }
        command = [part.format(port=port) for part in self.command]
        url = f"http://{ready}{self.ready_path}"
        return ServiceProcess(name, command, {**environment, **told}, log, url), port


GATEWAYS: Mapping[str, Gateway] = {
    OURS: Gateway(_SERVE, "/health/ready"),
    OURS_TWICE: Gateway((*_SERVE, "--workers", "2"), "/health/ready"),
    TUTORIAL: Gateway((*_UVICORN, "gateway_fastapi:tutorial")),
    TUNED: Gateway((*_TUNED, "gateway_fastapi:tuned")),
    BARE: Gateway((*_TUNED, "gateway_asgi:produce")),
    ROUTE: Gateway((*_TUNED, "gateway_asgi:route")),
    BENTHOS: Gateway((str(gateway_benthos.PROGRAM), "full"), ready_port_offset=1),
    BENTHOS_LEAN: Gateway((str(gateway_benthos.PROGRAM), "lean"), ready_port_offset=1),
}

_DESCRIPTIONS = {
    OURS: "`webhook-gateway serve`, one process, as deployed: signature, strict JSON, identity, key,"
    " CloudEvents headers, trace context, metrics",
    OURS_TWICE: "the same with `--workers 2`: two processes on one port, started by one command",
    TUTORIAL: "uvicorn's defaults with access log, `stripe.Webhook.construct_event`, aiokafka's defaults with"
    " acks=all, `send_and_wait`; key, no headers",
    TUNED: "httptools, asyncio's loop, no access log, one HMAC, msgspec, batches of 1 MiB, the gateway's"
    " garbage-collector settings; key, no headers",
    BARE: "a bare ASGI callable with the tuned form's server, HMAC and producer; no parsing, no key, no"
    " headers",
    BENTHOS: f"{gateway_benthos.versions()}: http_server, HMAC, JSON, key and CloudEvents headers in"
    " Bloblang, franz-go with acks=all, no linger; all cores",
    BENTHOS_LEAN: "the same with the HMAC alone: no parsing, no key, no headers",
}

SIDES: Mapping[str, Side] = {name: Side(name, told, SURVIVES) for name, told in _DESCRIPTIONS.items()}
