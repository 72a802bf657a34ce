"""HTTP: the application, problems, request checks, paging, OpenAPI."""

from chassis.http.app import Problem, build_app

__all__ = ["Problem", "build_app"]
