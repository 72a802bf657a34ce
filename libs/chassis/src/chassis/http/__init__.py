"""HTTP: the application, problems, request checks, paging, OpenAPI."""
