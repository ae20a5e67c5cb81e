"""The routes under /v1/, a file per noun. Importing this package imports them all, which fills the table in routing.py."""

from importlib import import_module
from pkgutil import iter_modules

LOADED = tuple(import_module(f"{__name__}.{file.name}") for file in iter_modules(__path__))
