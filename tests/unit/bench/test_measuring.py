import os
import subprocess
import sys
import time

from bench.measuring import Meter, tree_cpu_seconds

CLOCK_TICKS_SHARE = 0.1
"""The kernel counts whole ticks of 10 ms, and steal with them."""
BURN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


def test_cpu_of_a_child_that_has_ended_counts_for_its_tree() -> None:
    run = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"
    parent = f"{run}\nprint(1, flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        assert tree_cpu_seconds(process.pid) >= 0.4


def test_own_work_is_not_taken_for_that_of_others() -> None:
    meter = Meter({})
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    usage = meter.read()
    own_share = 0.3 / (usage.seconds * (os.cpu_count() or 1))
    assert usage.others_share <= 1 - own_share + CLOCK_TICKS_SHARE
