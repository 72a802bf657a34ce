"""How a service stands up. No word of any business appears here.

A service is composed in its `main` from these parts:

* `settings`, `logs`, `metrics`, `clock`: what every process has
* `postgres`, `migrations`, `append_only`: its database
* `kafka`, `messages`, `consuming`, `inbox`: what comes in
* `outbox`, `relay`: what goes out
* `http`, `health`, `auth`, `paging`: how it is asked
* `lifecycle`: how it starts and stops
"""

__version__ = "0.1.0"
"""What metrics and spans tell. Not from the package's metadata: an image has the sources alone."""
