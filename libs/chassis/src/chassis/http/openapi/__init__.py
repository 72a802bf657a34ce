"""OpenAPI: errors described as they are, documents generated, changes that break a client refused."""
