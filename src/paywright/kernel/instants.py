"""Instants are UTC integer milliseconds inside and RFC 3339 outside."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(instant: int) -> str:
    """`2026-10-28T12:00:00Z`, with milliseconds only when there are any."""
    moment = _EPOCH + timedelta(milliseconds=instant)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{instant % 1000:03d}Z" if instant % 1000 else f"{text}Z"


def rfc3339_or_none(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def parse_instant(written: str) -> int | None:
    """Milliseconds, finer input cut off; None when it is no RFC 3339 instant, has no offset, or lies outside the years 1 to 9999 in UTC."""
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is None or "T" not in written.upper():
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def of_datetime(moment: datetime) -> int:
    """Milliseconds of an aware datetime; a naive one is refused by assertion, because its meaning is unknown."""
    assert moment.tzinfo is not None, "give a datetime with a time zone"
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_datetime(instant: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=instant)
