"""HTTP: the application, problems, request checks, paging, OpenAPI."""

from chassis.http.app import build_app
from chassis.http.problems import Problem

__all__ = ["Problem", "build_app"]
