"""What the load process notes of what a gateway answers."""

import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager

from bench.gateway_deliveries import BODY_BYTES, Deliveries
from bench.gateway_knee import next_rate
from bench.gateway_load import NO_ANSWER, NOT_SENT, OK, Answers, Loader, Phase, Plan

ACCEPTED = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"{}"
SHED = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", b""
SHED_RUDELY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", b""
BROKEN = b"", b""


@contextmanager
def gateway(*script: tuple[bytes, bytes]) -> Generator[int]:
    """Answers in turn as the script says, head and body apart; nothing at all closes the connection."""
    turns = iter(range(10**9))

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while self.rfile.readline():
                while self.rfile.readline() != b"\r\n":
                    pass
                self.rfile.read(BODY_BYTES)
                head, body = script[next(turns) % len(script)]
                if not head:
                    return
                for part in (head, body):
                    self.wfile.write(part)
                    self.wfile.flush()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def run(port: int, *phases: Phase) -> Answers:
    deliveries = Deliveries("00c0ffee", 1_800_000_000)
    return Loader(Plan((port,), "secret", 2, deliveries, phases, seed=1, answers="")).run()


def test_a_closed_loop_notes_each_answer_and_when_it_came() -> None:
    with gateway(ACCEPTED) as port:
        answers = run(port, Phase(0.05))
    first, last, seconds = answers.phases[0]
    assert first == 0
    assert last > 2
    assert all(status in OK for status in answers.statuses[:last])
    assert all(0 < wait < seconds * 1e3 for wait in answers.milliseconds[:last])


def test_an_open_loop_sends_what_was_due() -> None:
    with gateway(ACCEPTED) as port:
        answers = run(port, Phase(0.1, rate=200), Phase(0.1, rate=400))
    (_, middle, _), (first, last, _) = answers.phases
    assert middle == first
    assert len(answers.statuses) == last
    assert all(moment >= 0.1 for moment in answers.scheduled[first:])


def test_sheddings_and_broken_connections_are_told_apart() -> None:
    with gateway(SHED, SHED_RUDELY, BROKEN, ACCEPTED) as port:
        answers = run(port, Phase(0.2, rate=200))
    # A slow machine does not send all in time.
    assert set(answers.statuses) - {NOT_SENT} == {200, 503, NO_ANSWER}
    rude = answers.statuses.count(503) / 2
    assert abs(answers.sheds_without_retry_after - rude) <= 1


def test_a_search_doubles_until_it_was_too_much_and_then_closes_in() -> None:
    assert next_rate(1_000, 0) == 2_000
    assert next_rate(0, 1_000) == 500
    assert next_rate(1_000, 4_000) == 2_000
