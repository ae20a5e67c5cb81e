"""
Settings: environment variables, then `.env`, then `paywright.toml`, then defaults; one frozen value.

Names in `paywright.toml` are the variables' names in lower case without `PAYWRIGHT_` (`database_url = "…"`), and
`stripe_…` for Stripe's.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec


class SettingsInvalid(Exception):
    """A setting can't be read; the message names it and what it takes."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Each field is the environment variable of the same name in capitals, with `PAYWRIGHT_` before it unless it begins with `stripe_`."""

    database_url: str = "sqlite:///.paywright/paywright.db"
    host: str = "127.0.0.1"
    port: int = 8787
    public_url: str | None = None
    secret: str | None = None
    catalog: str | None = None
    smtp_url: str | None = None
    email_from: str | None = None
    operator_email: str | None = None
    templates: str | None = None
    environment: str = "test"
    app: str | None = None
    claim_timeout_s: float = 300
    recovery_after_s: float = 60
    streams_max: int = 20_000
    streams_per_customer_max: int = 200
    background_calls_per_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    event_payload_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    stripe_secret_key: str | None = None
    stripe_publishable_key: str | None = None
    stripe_webhook_secret: str | None = None
    stripe_api_base: str | None = None
    stripe_js_url: str | None = None

    def __repr__(self) -> str:
        return f"Settings(environment={self.environment!r}, port={self.port})"

    def reached_at(self, url: str) -> "Settings":
        """With the address it listens at as the public one, unless another was set."""
        return self if self.public_url else msgspec.structs.replace(self, public_url=url)

    def require_secret(self) -> str:
        if not self.secret:
            raise SettingsInvalid(
                "PAYWRIGHT_SECRET is not set. It signs tokens and encrypts Stripe keys: use 32 or more random characters and keep it."
            )
        return self.secret


def variable(field: str) -> str:
    """The environment variable of a field."""
    return field.upper() if field.startswith("stripe_") else f"PAYWRIGHT_{field.upper()}"


def load_settings(environ: Mapping[str, str] | None = None, *, folder: Path | None = None, **given: Any) -> Settings:
    """Reads everything once. `given` wins over the rest; None in it means not given."""
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    values: dict[str, Any] = {}
    from_toml, from_dotenv = _toml(folder / "paywright.toml"), _dotenv(folder / ".env")
    for field in Settings.__struct_fields__:
        for source, name in ((environ, variable(field)), (from_dotenv, variable(field)), (from_toml, field)):
            if source.get(name) not in (None, ""):
                values[field] = source[name]
                break
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        reason, _, field = str(error).partition(" - at `$.")
        raise SettingsInvalid(f"{variable(field.rstrip('`'))} is malformed: {reason}") from error


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{path.name}: {error}") from error


def _dotenv(path: Path) -> dict[str, str]:
    """`NAME=value` lines; `export`, comments and one pair of quotes are understood, nothing is expanded."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found
