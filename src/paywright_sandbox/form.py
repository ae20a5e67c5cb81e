"""
Stripe's forms: `items[0][price]=p&expand[]=x` becomes `{"items": {"0": {"price": "p"}}, "expand": {"0": "x"}}`.

Only the nesting is decided here. Every leaf is still text; what it means depends on the parameter (params/).
"""

import re
from email.message import Message
from email.parser import BytesParser
from urllib.parse import parse_qsl

from .errors import Json, invalid

NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
PAIRS_MAX = 20_000
DEPTH_MAX = 12


def parse(content_type: str, body: bytes) -> Json:
    """The body of a POST. Refuses anything that is not a form; an empty body is an empty form."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return nested(multipart_pairs(content_type, body))
    if not body:
        return {}
    if kind not in ("", "application/x-www-form-urlencoded"):
        raise invalid(
            f"Invalid request: you must send the body as application/x-www-form-urlencoded, not {kind or 'untyped'}."
        )
    return parse_query(body.decode("utf-8", errors="replace"))


def parse_query(text: str) -> Json:
    try:
        return nested(parse_qsl(text, keep_blank_values=True, max_num_fields=PAIRS_MAX))
    except ValueError as error:
        raise invalid("Invalid request: too many parameters.") from error


def nested(pairs: list[tuple[str, str]]) -> Json:
    tree: Json = {}
    for name, value in pairs:
        keys = split_name(name)
        place = tree
        for key in keys[:-1]:
            key = str(len(place)) if key == "" else key
            below = place.setdefault(key, {})
            if not isinstance(below, dict):
                raise invalid(f"Invalid request: {name} is used both as a value and as a hash.", param=name)
            place = below
        last = str(len(place)) if keys[-1] == "" else keys[-1]
        if isinstance(place.get(last), dict):
            raise invalid(f"Invalid request: {name} is used both as a value and as a hash.", param=name)
        place[last] = value
    return tree


def split_name(name: str) -> list[str]:
    """`a[b][]` → `["a", "b", ""]`."""
    match = NAME.match(name)
    keys = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else []
    if not match or len(keys) > DEPTH_MAX:
        raise invalid(f"Invalid request: the parameter name {name[:100]!r} cannot be read.", param=name[:100])
    return keys


def multipart_pairs(content_type: str, body: bytes) -> list[tuple[str, str]]:
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise invalid("Invalid request: the multipart body cannot be read.")
    return [(part_name(part), part_text(part)) for part in message.get_payload() if isinstance(part, Message)]


def part_name(part: Message) -> str:
    return str(part.get_param("name", "", header="content-disposition"))


def part_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", errors="replace") if isinstance(payload, bytes) else ""
