"""Payments and entitlements for Python apps, on Stripe: `from paywright import Paywright`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paywright.inprocess import AsyncPaywright, Paywright

__all__ = ["AsyncPaywright", "Paywright"]


def __getattr__(name: str) -> Any:
    """Loaded when first asked for: the engine's rooms import `paywright` too, and need none of this."""
    if name in __all__:
        from paywright import inprocess

        return getattr(inprocess, name)
    raise AttributeError(f"module 'paywright' has no attribute {name!r}")
