"""The demo store of `paywright dev`."""

from paywright.demo.store import CATALOG, build

__all__ = ["CATALOG", "build"]
