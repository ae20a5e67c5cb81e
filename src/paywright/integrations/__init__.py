"""
Paywright inside the app's own web framework: the HTTP API and Stripe's webhook under a prefix, and decorators that refuse who has not paid.

Each module imports its framework, which the app has already: `paywright.integrations.fastapi`, `.flask`, `.django`, and `.wsgi` for the rest.
"""
