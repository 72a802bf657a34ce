"""Who asks, and whether he may (ALL-4).

* `identity`: who somebody is, what roles there are, and why somebody is refused
* `tokens`: token + keys + moment → identity or refusal, as a pure function
* `keys`, `jwks`: what tokens are verified with, and how it is fetched
* `guard`: the door in front of every route; `access`: which role opens it
* `settings`, `setup`: from AUTH_MODE to a guard
* `issuing`: tokens for development
"""
