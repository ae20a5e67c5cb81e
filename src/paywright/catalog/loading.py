"""Catalog files: TOML, JSON or Python, all with the names of the wire shape."""

import json
import runpy
import tomllib
from pathlib import Path
from typing import Any

NAMES = ("catalog.toml", "catalog.py", "catalog.json")
_SECTIONS = ("items", "product_lines", "products")


class CatalogFileUnreadable(Exception):
    """The file is missing or no TOML, JSON or Python; the message names file and place."""


def find(folder: Path, named: str | None = None) -> Path | None:
    """The file named by `PAYWRIGHT_CATALOG`, else the first of `NAMES` in the folder; None when there is none."""
    if named:
        return folder / named
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def load(path: Path) -> Any:
    """The document in the file, not yet judged. A Python file is run: it defines `catalog`, or `items`, `product_lines` and `products`."""
    try:
        if path.suffix == ".py":
            return _from_python(path)
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        if path.suffix == ".toml":
            return tomllib.loads(text)
    except OSError as error:
        raise CatalogFileUnreadable(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CatalogFileUnreadable(f"{path}: {error}") from error
    raise CatalogFileUnreadable(f"{path}: a catalog is a .toml, .py or .json file")


def _from_python(path: Path) -> Any:
    if not path.is_file():
        raise CatalogFileUnreadable(f"{path}: no such file")
    try:
        defined = runpy.run_path(str(path), run_name="paywright_catalog")
    # Whatever the file raises is the file's mistake, and its author wants to see it with its cause.
    except (Exception, SystemExit) as error:
        raise CatalogFileUnreadable(f"{path}: {type(error).__name__}: {error}") from error
    if "catalog" in defined:
        return defined["catalog"]
    found = {name: defined[name] for name in _SECTIONS if name in defined}
    if not found:
        raise CatalogFileUnreadable(f"{path}: defines neither `catalog` nor {', '.join(_SECTIONS)}")
    return found
