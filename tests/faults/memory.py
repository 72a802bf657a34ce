"""How much memory services took: bounded, whatever comes in."""

from pathlib import Path

from faults.scene import Scene
from harness import Running

RSS_BYTES_MAX = 256 * 1024 * 1024
SERVICES = ("webhook-gateway", "booking", "audit")


def check_memory(scene: Scene) -> None:
    """Note the peak of every process that runs now; none may have had more than 256 MiB."""
    running = [each for name in SERVICES for each in scene.stack.services(name) if each.running]
    peaks = sorted((rss_peak_bytes(each), each.name) for each in running)
    scene.notes["peak RSS, MiB"] = {name: peak >> 20 for peak, name in peaks}
    assert peaks[-1][0] <= RSS_BYTES_MAX, f"more than 256 MiB: {peaks}"


def rss_peak_bytes(running: Running) -> int:
    """The most memory that the process ever had, by the kernel's account (proc(5), VmHWM in kB)."""
    status = Path(f"/proc/{running.pid}/status").read_text(encoding="ascii")
    line = next(each for each in status.splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
