"""A database, a server process on it, and the engine on the same database, to found environments and to look at the books."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paywright.access.actions import create_key
from paywright.app import is_in_use
from paywright.catalog.actions import apply
from paywright.engine.app import App
from paywright.environments.actions import StripeCredentials, add_webhook_secret, connect_stripe, create
from paywright.kernel.model import Provider
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from tests.flows.catalog import CATALOG
from tests.flows.sandbox import Account
from tests.flows.server import SECRET, Server


class Premises:
    """A server holds many environments, so stories may share one: each has an environment of its own."""

    def __init__(self, server: Server, app: App) -> None:
        self.server, self.app = server, app

    def found(self, environment_id: str, account: Account, provider: Provider) -> str:
        """A new environment that sells the stories' catalog through this account; a secret key for it."""
        credentials = StripeCredentials(account.secret_key, account.publishable_key, None, account.url)
        with self.app.work(environment_id) as work:
            made = create(work, mode="test", provider=provider)
            assert not isinstance(made, Refusal), made
            assert connect_stripe(work, self.app.settings, credentials) is None
            applied = apply(work, CATALOG, is_in_use=is_in_use)
            assert not isinstance(applied, Refusal), applied
            key = create_key(work, "secret")
            assert not isinstance(key, Refusal), key
            return key.plain

    def trust(self, environment_id: str, webhook_secret: str) -> None:
        with self.app.work(environment_id) as work:
            add_webhook_secret(work, self.app.settings, webhook_secret)


@contextmanager
def opened(database_url: str, folder: Path, *, start: bool = True, **extra: str) -> Iterator[Premises]:
    """The server is up, unless `start` says otherwise. `extra` are settings of it, such as `PAYWRIGHT_CLAIM_TIMEOUT_S`."""
    server = Server(folder, {"PAYWRIGHT_DATABASE_URL": database_url, "PAYWRIGHT_SECRET": SECRET, **extra})
    app = App(Settings(database_url=database_url, secret=SECRET))
    try:
        if start:
            server.start()
        yield Premises(server, app)
    finally:
        server.kill()
        app.close()
