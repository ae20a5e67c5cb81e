"""
From bytes to the structs of a route. What can't be read is `invalid_request` and names the parameter.

The structs are strict: an unknown name, `"5"`, `1.5` or `true` where an integer belongs, text with NUL in it are all refused.
"""

import base64
import re
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote

import msgspec

from paywright.api.call import LIMIT_DEFAULT, LIMIT_MAX
from paywright.kernel.instants import parse_instant
from paywright.kernel.model import QUANTITY_MAX
from paywright.kernel.refusals import Refusal, invalid_request

IDEMPOTENCY_KEY_MAX = 255
CURSOR_UNKNOWN = "This cursor is not one of ours. Pass `next_cursor` on as it is."

Quantity = Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)]
Note = Annotated[str, msgspec.Meta(max_length=500)]


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A query string without parameters; the structs of routes that take some derive from it."""


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A JSON object without fields; the structs of routes that take some derive from it."""


class Listing(Query, frozen=True, kw_only=True):
    """`limit` 1-100, `cursor` from the page before."""

    limit: Limit = LIMIT_DEFAULT
    cursor: str | None = None


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_WHERE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_NAMED = re.compile(r"(?P<kind>required|unknown) field `(?P<name>[^`]*)`")
_SAID = {"required": "is missing", "unknown": "is not known here"}


def parse_body(body: bytes, shape: Any) -> Any | Refusal:
    """An empty body is an empty object."""
    if b"\\u0000" in body and _NUL.search(body):
        return invalid_request("body", "Text may not contain the character U+0000.")
    try:
        return msgspec.json.decode(body.strip() or b"{}", type=shape)
    except msgspec.ValidationError as error:
        return _misfit(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else f"is not JSON: {error}"
        return invalid_request("body", f"The body {reason}.")


def parse_query(query_string: str, shape: Any) -> Any | Refusal:
    pairs = parse_qsl(query_string, keep_blank_values=True, max_num_fields=None)
    named = dict(pairs)
    if len(named) < len(pairs):
        return invalid_request("query", "A query parameter stands there twice.")
    if any("\x00" in value for value in named.values()):
        return invalid_request("query", "Text may not contain the character U+0000.")
    try:
        return msgspec.convert(named, shape, strict=False)
    except msgspec.ValidationError as error:
        return _misfit(error)


def _misfit(error: msgspec.ValidationError) -> Refusal:
    """`Expected `int`, got `str` - at `$.quantity`` becomes the parameter `quantity` and a sentence about it."""
    text = str(error)
    where, named = _WHERE.search(text), _NAMED.search(text)
    path = where["path"].lstrip(".") if where else ""
    if named:
        path = f"{path}.{named['name']}".lstrip(".")
        return invalid_request(path, f"`{path}` {_SAID[named['kind']]}.")
    reason = _WHERE.sub("", text)
    param = path or "body"
    return invalid_request(param, f"`{param}`: {reason[:1].lower()}{reason[1:]}." if path else f"{reason}.")


def path_part(encoded: str) -> str | None:
    """One segment of a path, decoded; `%2F` is a slash within it. None when it is not UTF-8."""
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        return None


def instant(written: str | None, param: str) -> int | Refusal | None:
    if written is None:
        return None
    moment = parse_instant(written)
    if moment is None:
        return invalid_request(param, f"`{param}` is an instant with its offset, such as 2026-11-20T12:00:00Z.")
    return moment


def normalised(body: bytes) -> bytes:
    """The same bytes for the same JSON, whatever its key order and white space."""
    return msgspec.json.encode(msgspec.json.decode(body.strip() or b"{}"), order="sorted")


def key_refused(key: str) -> Refusal | None:
    if 1 <= len(key) <= IDEMPOTENCY_KEY_MAX and key.isprintable():
        return None
    return invalid_request("Idempotency-Key", "An Idempotency-Key is 1 to 255 printable characters.")


def cursor_of(last: str) -> str:
    """Opaque to the caller: where the next page begins."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> str | Refusal | None:
    if cursor is None:
        return None
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, UnicodeDecodeError):
        return invalid_request("cursor", CURSOR_UNKNOWN)


def place(instant: int, row_id: str) -> str:
    """A cursor into a list that is ordered by an instant and an id."""
    return cursor_of(f"{instant} {row_id}")


def read_place(cursor: str | None) -> tuple[int, str] | Refusal | None:
    read = read_cursor(cursor)
    if read is None or isinstance(read, Refusal):
        return read
    instant, _, row_id = read.partition(" ")
    if not instant.isdecimal() or len(instant) > 18:
        return invalid_request("cursor", CURSOR_UNKNOWN)
    return int(instant), row_id
