"""Node's official `stripe` package drives the sandbox: another client than Python's, and the same sandbox."""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tests.contract.shop import Shop
from tests.harness import needs, npm

STORY = Path(__file__).parent / "node" / "story.mjs"


def test_nodes_package_sells_a_subscription_and_verifies_its_webhooks(shop: Shop, node: Path, tmp_path: Path) -> None:
    try:
        packages = npm.installed(node)
    except npm.Unavailable as reason:
        needs.lacking("node", str(reason))
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    (tmp_path / STORY.name).write_text(STORY.read_text())
    address = urlsplit(shop.url)
    environment = {
        **os.environ,
        "SANDBOX_HOST": str(address.hostname),
        "SANDBOX_PORT": str(address.port),
        "SANDBOX_KEY": shop.secret_key,
    }
    command = [str(node), str(tmp_path / STORY.name)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    saw = json.loads(ended.stdout)
    assert (saw["subscription"], saw["invoice"], saw["metadata"]) == ("active", 900, {"plan": "pro"})
    assert (saw["listed"], saw["newest"], saw["same"]) == (13, "Number 11", True)
    assert saw["refusals"] == [
        ["StripeInvalidRequestError", 404, "resource_missing", "id", None],
        ["StripeInvalidRequestError", 400, "parameter_unknown", "colour", None],
        ["StripeCardError", 402, "card_declined", None, "generic_decline"],
        ["StripeAuthenticationError", 401, None, None, None],
    ]
    assert saw["told"].count("customer.created") == 14
    assert {"customer.subscription.created", "invoice.paid", "payment_intent.payment_failed"} <= set(saw["told"])
    # Each one verified: what does not verify is told by its error's name and answered 400.
    assert sorted(saw["told"]) == sorted(shop.events())
