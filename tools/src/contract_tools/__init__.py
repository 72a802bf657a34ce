"""Development tools for the contracts: JSON Schemas, AsyncAPI and OpenAPI documents, and their comparison.

No service, wheel or image at run time contains this package.
"""
