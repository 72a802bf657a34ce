"""Idempotency keys: a POST sent again has one effect and gets the first answer (docs/idempotency.md)."""

from chassis.http.idempotency.requests import Idempotency, StepsEffect

__all__ = ["Idempotency", "StepsEffect"]
