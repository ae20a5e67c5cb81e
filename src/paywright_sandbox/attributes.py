"""What every object shares: metadata, texts that an empty string unsets, amounts and currencies within bounds."""

from typing import Any

from .errors import Json, invalid

METADATA_KEYS_MAX = 50
METADATA_NAME_MAX = 40
METADATA_VALUE_MAX = 500


def merged_metadata(held: Json | None, wish: Any, param: str = "metadata") -> Json:
    """Keys merge, an empty value deletes its key, `metadata=""` clears all."""
    if wish == "":
        return {}
    merged = dict(held or {})
    for key, value in (wish or {}).items():
        if len(key) > METADATA_NAME_MAX or "[" in key or "]" in key:
            raise invalid(
                f"Metadata keys can be up to {METADATA_NAME_MAX} characters without brackets: {key[:60]}.", param=param
            )
        if len(str(value)) > METADATA_VALUE_MAX:
            raise invalid(
                f"Metadata values can have up to {METADATA_VALUE_MAX} characters, but you passed in a value that is "
                f"{len(str(value))} characters.",
                param=f"{param}[{key}]",
            )
        if value == "":
            merged.pop(key, None)
        else:
            merged[key] = str(value)
    if len(merged) > METADATA_KEYS_MAX:
        raise invalid(f"You can only have {METADATA_KEYS_MAX} metadata keys.", param=param)
    return merged


def take(thing: Json, parameters: Json, *names: str) -> None:
    """Sets these fields where given; an empty string sets null."""
    for name in names:
        if name in parameters:
            thing[name] = None if parameters[name] == "" else parameters[name]


def take_metadata(thing: Json, parameters: Json) -> None:
    if "metadata" in parameters:
        thing["metadata"] = merged_metadata(thing.get("metadata"), parameters["metadata"])


def address_of(wish: Any) -> Json | None:
    """An address with all its keys, unset ones null."""
    if not wish:
        return None
    return {name: wish.get(name) or None for name in ("city", "country", "line1", "line2", "postal_code", "state")}
