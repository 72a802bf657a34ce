"""What every service stands on. No word of any business appears here.

Ten wings on seven floors; imports run downwards only (a contract in `pyproject.toml`):

* 7 `consuming`: from Kafka to a handler, in order and at least once. `cli`: the commands every service has
* 6 `dead_letters`: messages set aside, and the operator's actions on them. `relay`: outbox to Kafka.
  `service`: runs a composed service
* 5 `messaging`: messages, inbox, outbox. `http`: the application and its rules. `settings`: every service's
* 4 `postgres`, `kafka`, `auth`
* 3 `process`: settings sources, components, start and stop, health, terminal
* 2 `observability`: logs, metrics, spans, redaction
* 1 `clock`

A service is composed of these in its `main`.
"""

__version__ = "0.1.0"
# For metrics and spans. Not read from the package's metadata: an image has the sources alone.
