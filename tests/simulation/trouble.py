"""What goes wrong meanwhile: at Stripe, on the way, in the database, and with the server itself."""

import threading
from collections.abc import Callable

import psycopg

from tests.simulation.town import Town

PATHS = ("*", "/v1/checkout/sessions", "/v1/customers", "/v1/subscriptions/*", "/v1/refunds", "/v1/invoices*")


def stripe_fails(town: Town) -> None:
    """500, too many, nothing heard, or the worst: done, and the answer lost."""
    kind = town.draw.choice((500, 503, 429, "refuse", "drop_response", "drop_response"))
    method, path, times = town.draw.choice(("POST", "GET")), town.draw.choice(PATHS), town.draw.choice((1, 2, 3, 5))
    town.tell(f"Stripe: {kind} for {method} {path}, {times} times")
    town.shop.account.fail_next(kind, method=method, path=path, times=times)


def deliveries_suffer(town: Town) -> None:
    wish = {
        "duplicate": town.draw.choice((0.0, 0.3, 1.0)),
        "shuffle_window": town.draw.choice((0, 6, 20)),
        "delay_ms": [0, town.draw.choice((5, 40))],
        "drop": town.draw.choice((0.0, 0.0, 0.3)),
        "seed": town.draw.randrange(1 << 30),
    }
    town.tell(f"deliveries: {wish}")
    town.shop.account.chaos(**wish)


def connections_drop(town: Town) -> None:
    """As when PostgreSQL fails over. SQLite has no connection to lose."""
    url = town.shop.premises.app.settings.database_url
    if not url.startswith("postgresql"):
        return
    town.tell("every database connection of the server is cut")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )


def the_server_dies(town: Town) -> None:
    """A moment from now, in the middle of whatever it does then. Whoever asks next starts it."""
    moment = town.draw.uniform(0.0, 0.15)
    town.tell(f"the server is killed after {moment:.3f} s")
    if town.dying is None:
        town.dying = threading.Timer(moment, town.shop.server.strike)
        town.dying.start()


TROUBLES: tuple[tuple[int, Callable[[Town], None]], ...] = (
    (10, stripe_fails),
    (4, deliveries_suffer),
    (3, connections_drop),
    (1, the_server_dies),
)
