"""What a service tells of its work: spans, measurements and one log line per request and message (ALL-5).

`spans` exports by OTLP when it is configured, and costs nothing when it is not. `publishing`, `messages` and
`requests` are the three places where work crosses a wire; `handling` is what a consumer calls.
docs/telemetry.md is the operator's page.
"""
