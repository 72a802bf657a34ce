"""The links of the gateway, to its senders and to Kafka: F18."""

import random
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from statistics import median

from faults.history import Outcome
from faults.memory import check_memory
from faults.plan import SHORT
from faults.proxy import CHUNK_BYTES_MAX, Direction, Proxy
from faults.scene import Scene

LATENCY_SECONDS = 0.5
JITTER_SECONDS = 0.3
SLOW_SECONDS_MIN = 3 * LATENCY_SECONDS
"""Of most deliveries: each goes four ways, to the gateway and to Kafka and back."""

RESETS = 100
RESETS_SHORT = 10
RESET_SHARE = 0.5
"""Of the senders' connections each time; the gateway has one to a broker, which is cut every time."""

WORKERS = 48
WORKERS_SHORT = 24
"""A delivery takes two seconds on slow links, so that more of them are under way."""

BYTES_PER_DELIVERY_MIN = 300
"""Of every one that was accepted so much went over both links at least, else it went another way."""

_LOOPBACK = "127.0.0.1"


async def of_gateway(scene: Scene) -> None:
    """F18: links that are slow and uneven, then reset again and again, then deliver single bytes."""
    host, _, port = scene.infra.kafka_bootstrap.partition(":")
    assert host == _LOOPBACK, f"a proxy can stand for a broker at {_LOOPBACK} only, not for {host}"
    async with _proxy(scene, (host, int(port))) as to_kafka:
        # A broker tells its clients where to find it; they are to find the proxy.
        to_kafka.downward.rewritten = {_told(int(port)): _told(to_kafka.port)}
        gateway = await scene.stack.start(
            "webhook-gateway", {"KAFKA_BOOTSTRAP": f"{_LOOPBACK}:{to_kafka.port}"}
        )
        async with _proxy(scene, (_LOOPBACK, int(gateway.url.rpartition(":")[2]))) as to_gateway:
            await _load_with_faults(scene, to_gateway, to_kafka)
        check_memory(scene)
        await gateway.stop()
    _check(scene, to_gateway, to_kafka)


async def _load_with_faults(scene: Scene, to_gateway: Proxy, to_kafka: Proxy) -> None:
    proxies = (to_gateway, to_kafka)
    workers = WORKERS_SHORT if scene.size == SHORT else WORKERS
    async with scene.load(gateway=f"http://{_LOOPBACK}:{to_gateway.port}", workers=workers) as load:
        await load.reached(0.1)
        with _slow(proxies):
            slow = load.elapsed
            await load.reached(0.35)
            clear = load.elapsed
        resets = RESETS_SHORT if scene.size == SHORT else RESETS
        for number in range(resets):
            await load.reached(0.45 + 0.25 * number / resets)
            to_gateway.cut(RESET_SHARE)
            to_kafka.cut()
        await load.reached(0.8)
        with _sliced(proxies):
            await load.reached(0.85)
    times = [x.t - x.began for x in scene.history.genuine if slow < x.began and x.t < clear]
    scene.notes["median on slow links, seconds"] = round(median(times), 2)
    assert median(times) >= SLOW_SECONDS_MIN, f"a delivery took {median(times):.2f} s: some link was not slow"


def _check(scene: Scene, *proxies: Proxy) -> None:
    accepted = sum(line.outcome is Outcome.OK for line in scene.history.genuine)
    refused = {f"{line.status} {line.reason}" for line in scene.history.refused}
    carried = [proxy.upward.carried_bytes for proxy in proxies]
    resets = [proxy.resets for proxy in proxies]
    scene.notes |= {
        "resets, of senders and of the broker": resets,
        "bytes to gateway and to the broker": carried,
        "tries": len(scene.history.genuine),
        "accepted": accepted,
    }
    assert not refused, f"valid deliveries refused: {sorted(refused)}"
    assert all(resets), f"a link had no connection reset: {resets}"
    assert min(carried) >= accepted * BYTES_PER_DELIVERY_MIN, f"{accepted} accepted over {carried} bytes"


@asynccontextmanager
async def _proxy(scene: Scene, target: tuple[str, int]) -> AsyncGenerator[Proxy]:
    upward, downward = (Direction(dice=random.Random(f"{scene.seed}/{way}")) for way in ("up", "down"))
    proxy = Proxy(target, upward, downward, dice=random.Random(scene.seed))
    async with proxy.listening():
        yield proxy


@contextmanager
def _slow(proxies: Sequence[Proxy]) -> Generator[None]:
    """500 ± 300 ms each way."""
    for way in _ways(proxies):
        way.latency_seconds, way.jitter_seconds = LATENCY_SECONDS, JITTER_SECONDS
    yield
    for way in _ways(proxies):
        way.latency_seconds = way.jitter_seconds = 0.0


@contextmanager
def _sliced(proxies: Sequence[Proxy]) -> Generator[None]:
    """Byte by byte."""
    for way in _ways(proxies):
        way.slice_bytes_max = 1
    yield
    for way in _ways(proxies):
        way.slice_bytes_max = CHUNK_BYTES_MAX


def _ways(proxies: Sequence[Proxy]) -> list[Direction]:
    return [way for proxy in proxies for way in (proxy.upward, proxy.downward)]


def _told(port: int) -> bytes:
    """How a broker on this machine writes its address into metadata: the host, then 32 bits of port."""
    return _LOOPBACK.encode() + port.to_bytes(4)
