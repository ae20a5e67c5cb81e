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


def read_or_make(folder: Path) -> DevData:
    found = read(folder)
    if found is None:
        found = DevData(secret=secrets.token_urlsafe(32))
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


def with_dev_secret(settings: Settings) -> Settings:
    """A SQLite database that `dev` made comes with its secret beside it, so that other commands can read what it stored."""
    if settings.secret or not settings.database_url.startswith("sqlite:///"):
        return settings
    kept = read(Path(settings.database_url.removeprefix("sqlite:///")).parent)
    return settings if kept is None else msgspec.structs.replace(settings, secret=kept.secret)
