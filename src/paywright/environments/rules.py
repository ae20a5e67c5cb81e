"""What the shape of an environment's switches can't say. Pure."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from paywright.environments.model import EmailPolicy
from paywright.kernel.refusals import Refusal, invalid_request

_ADDRESS = r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,190}"
_IS_ADDRESS = re.compile(_ADDRESS)
_IS_ORIGIN = re.compile(r"https?://(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_IS_SENDER = re.compile(rf"[^<>@\x00-\x1f\x7f]{{0,200}}<{_ADDRESS}>|{_ADDRESS}")


def is_address(address: str) -> bool:
    """One that can be written to, and that can't break out of a header."""
    return _IS_ADDRESS.fullmatch(address) is not None


def is_sender(sender: str) -> bool:
    """`billing@shop.example`, or `Shop <billing@shop.example>`."""
    return sender.isprintable() and _IS_SENDER.fullmatch(sender) is not None


def bad_origins(origins: list[str] | None) -> Refusal | None:
    """An origin is compared with what a browser sends, letter for letter: anything more would never be equal, and shut everybody out."""
    for origin in origins or ():
        if _IS_ORIGIN.fullmatch(origin) is None:
            reason = "each is scheme, host and port in lower case, such as `https://app.example`"
            return invalid_request("allowed_origins", f"`allowed_origins`: {reason}.")
    return None


def bad_emails(policy: EmailPolicy) -> Refusal | None:
    from babel.core import Locale, UnknownLocaleError

    if policy.sender is not None and not is_sender(policy.sender):
        return invalid_request("emails.sender", "`emails.sender` is an e-mail address, or `Name <address>`.")
    if policy.operator is not None and not is_address(policy.operator):
        return invalid_request("emails.operator", "`emails.operator` is an e-mail address.")
    try:
        Locale.parse(policy.locale)
    except (UnknownLocaleError, ValueError):
        return invalid_request("emails.locale", "`emails.locale` is a language such as `en_US` or `de_DE`.")
    try:
        ZoneInfo(policy.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return invalid_request("emails.time_zone", "`emails.time_zone` is a time zone such as `Europe/Berlin`.")
    return None
