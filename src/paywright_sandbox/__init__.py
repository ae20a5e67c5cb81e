"""A Stripe of our own, offline. `with Sandbox() as sandbox: sandbox.url`; or `python -m paywright_sandbox`. It cannot touch money."""

from .server import Sandbox

__all__ = ["Sandbox"]
