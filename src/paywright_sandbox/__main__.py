"""`python -m paywright_sandbox`: the sandbox as a process of its own."""

import argparse
import asyncio
import json
import sqlite3
import sys
import threading

from .engine import Engine
from .server import AnnouncingServer, configured, listening_socket, url_of
from .store import FileInUse, Store


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="paywright_sandbox", description="A Stripe of our own, offline. No real money."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; loopback unless told otherwise")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", metavar="FILE", help="keep everything in this SQLite file")
    parser.add_argument("--seed", type=int, help="the same ids every time")
    parser.add_argument("--json", action="store_true", help="print one JSON line when ready")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input closes")
    return parser.parse_args()


def main() -> None:
    wish = arguments()
    try:
        listener = listening_socket(wish.host, wish.port)
    except OSError as error:
        sys.exit(f"cannot listen on {wish.host}:{wish.port}: {error.strerror}")
    try:
        store = Store(wish.data, None if wish.seed is None else str(wish.seed))
    except (FileInUse, sqlite3.Error) as error:
        sys.exit(f"cannot keep data in {wish.data}: {error}")
    ready = threading.Event()
    engine = Engine(store)
    engine.origin = url_of(listener, wish.host)
    server = AnnouncingServer(configured(engine), ready)
    facts = {
        "url": engine.origin,
        "secret_key": store.default.secret_key,
        "publishable_key": store.default.publishable_key,
    }
    threading.Thread(target=announce, args=(ready, facts, wish.json), daemon=True).start()
    if wish.exit_with_stdin:
        threading.Thread(target=end_with_stdin, args=(server,), daemon=True).start()
    try:
        asyncio.run(server.serve(sockets=[listener]))
    except KeyboardInterrupt:
        server.should_exit = True
    finally:
        store.close()


def announce(ready: threading.Event, facts: dict[str, str], as_json: bool) -> None:
    ready.wait()
    text = (
        json.dumps(facts) if as_json else "SANDBOX, no real money\n" + "\n".join(f"{k}: {v}" for k, v in facts.items())
    )
    print(text, flush=True)


def end_with_stdin(server: AnnouncingServer) -> None:
    while sys.stdin.buffer.read(4096):
        continue
    server.should_exit = True


if __name__ == "__main__":
    main()
