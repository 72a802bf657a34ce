"""Authentication by token, and roles (ALL-4).

* `identity`: caller, roles, reasons of refusals
* `tokens`: token, keys and time give a caller or a refusal, as a pure function
* `keys`, `jwks`: the keys that verify tokens, and how they are fetched
* `guard`: authenticates each request; `access`: which roles may use a route
* `settings`, `setup`: from AUTH_MODE to a guard
* `issuing`: tokens for development
"""
