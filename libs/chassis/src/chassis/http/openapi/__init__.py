"""OpenAPI: descriptions of errors and access, and the pages below `/schema`."""
