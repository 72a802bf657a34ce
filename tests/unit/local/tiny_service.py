"""A service in a few lines: `tiny_service.py PORT [ignore-sigterm] [with-child]`. Answers 200 everywhere."""

import http.server
import signal
import subprocess
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


if "ignore-sigterm" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if "with-child" in sys.argv:
    subprocess.Popen(["sleep", "600"])
sys.stdout.write("tiny service started\n")
sys.stdout.flush()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
