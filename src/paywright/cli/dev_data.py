"""What `paywright dev` keeps between runs, in `.paywright/dev.json`, mode 0600: its secret, its keys, its ports' last addresses."""

import os
import secrets
from pathlib import Path

import msgspec

from paywright.kernel.settings import Settings

FOLDER = ".paywright"
FILE = "dev.json"


class DevData(msgspec.Struct, kw_only=True):
    """Test keys only: none of them moves money."""

    secret: str
    secret_key: str | None = None
    publishable_key: str | None = None
    webhook_secret: str | None = None
    webhook_endpoint_id: str | None = None
    url: str | None = None
    sandbox_url: str | None = None


def read(folder: Path) -> DevData | None:
    path = folder / FILE
    return msgspec.json.decode(path.read_bytes(), type=DevData) if path.is_file() else None


def read_or_make(folder: Path, secret: str | None = None) -> DevData:
    """The first run makes a secret, or takes the one that is set, so that other programs of this folder can read what is stored here."""
    found = read(folder)
    if found is None:
        found = DevData(secret=secret or secrets.token_urlsafe(32))
        write(folder, found)
    return found


def write(folder: Path, kept: DevData) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{FILE}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(kept)))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / FILE)


def beside(settings: Settings) -> DevData | None:
    """What `dev` keeps beside the database; None for a database that `dev` did not make."""
    if not settings.database_url.startswith("sqlite:///"):
        return None
    return read(Path(settings.database_url.removeprefix("sqlite:///")).parent)


def with_dev_secret(settings: Settings) -> Settings:
    """A database that `dev` made comes with its secret, so that other commands can read what it stored."""
    return _with_secret_of(beside(settings), settings)


def as_dev_is(settings: Settings) -> Settings:
    """With the secret of `dev` and the address it serves at, for whoever works on its database beside it."""
    kept = beside(settings)
    return _with_secret_of(kept, settings if kept is None or kept.url is None else settings.reached_at(kept.url))


def _with_secret_of(kept: DevData | None, settings: Settings) -> Settings:
    return settings if settings.secret or kept is None else msgspec.structs.replace(settings, secret=kept.secret)
