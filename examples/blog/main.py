"""A members' blog: everybody reads the teasers, members the posts, patrons the notes too. `python examples/blog/main.py`"""

import os
from pathlib import Path
from typing import Any

from flask import Flask, Request, abort, redirect, render_template, request, session, url_for

from paywright import Paywright
from paywright.client import Client, Conflict, PaymentRequired
from paywright.client.conditions import any_of
from paywright.client.surface import Surface
from paywright.integrations.flask import customer, install, require_product

HERE = Path(__file__).parent
PORT = int(os.environ.get("PORT", "8000"))
POSTS = {
    "ponds": {
        "title": "On ponds",
        "teaser": "Why a frog is enough.",
        "content": "A pond is a mirror with opinions. The frog disagrees, and is right.",
        "notes": "The frog's name was Basho.",
    },
    "tills": {
        "title": "On tills",
        "teaser": "What a drawer sounds like when it is honest.",
        "content": "It sounds like a small bell, once. Twice is a bug.",
        "notes": "Recorded in a bakery at six in the morning.",
    },
}
CONTENT, NOTES = any_of("member", "patron"), "patron"


def opened() -> Surface:
    """The engine in this process, where every purchase is free; or a server elsewhere, such as `paywright dev`, with a till."""
    if url := os.environ.get("PAYWRIGHT_URL"):
        return Client(url, os.environ["PAYWRIGHT_SECRET_KEY"])
    return Paywright(provider="instant", catalog=str(HERE / "catalog.toml"))


def customer_of(_request: Request) -> str | None:
    """An example believes its visitors. Yours signs them in."""
    return session.get("name")


pay = opened()
app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or os.urandom(32)
install(app, pay, customer_of=customer_of)


def readable(slug: str) -> dict[str, Any]:
    """The post, without the fields this reader is not entitled to. Strangers are readers who own nothing."""
    if slug not in POSTS:
        abort(404)
    if customer_of(request) is None:
        return {name: text for name, text in POSTS[slug].items() if name in ("title", "teaser")}
    return customer().gate(POSTS[slug], content=CONTENT, notes=NOTES)


@app.get("/")
def front() -> Any:
    owned = [] if customer_of(request) is None else customer().list_products()
    return render_template("front.html", posts=POSTS, name=customer_of(request), owned=owned)


@app.get("/posts/<slug>")
def post(slug: str) -> Any:
    return render_template("post.html", slug=slug, post=readable(slug), name=customer_of(request))


@app.get("/posts/<slug>.json")
def post_as_json(slug: str) -> Any:
    return readable(slug)


@app.get("/posts/<slug>/print")
@require_product("patron")
def print_post(slug: str) -> Any:
    """Something one does rather than reads: refused, not left out."""
    return "\n\n".join(readable(slug).values()), {"Content-Type": "text/plain; charset=utf-8"}


@app.errorhandler(PaymentRequired)
def kindly(error: PaymentRequired) -> Any:
    return render_template("join.html", options=error.facts.get("upgrade_options", []), name=customer_of(request)), 402


@app.post("/sign-in")
def sign_in() -> Any:
    session["name"] = request.form["name"].strip()[:40]
    return redirect(url_for("front"))


@app.post("/join/<product_id>")
def join(product_id: str) -> Any:
    """A member who becomes a patron switches; nobody is ever subscribed twice."""
    back = url_for("thanks", _external=True) + "?session={CHECKOUT_SESSION_ID}"
    try:
        url = customer().create_checkout_url(product_id, success_url=back, cancel_url=url_for("front", _external=True))
    except Conflict as error:
        if error.code != "switch_required":
            raise
        customer().switch_subscription(error.facts["from_product_id"], product_id)
        url = url_for("front")
    return redirect(url, 303)


@app.get("/thanks")
def thanks() -> Any:
    """Asks what became of it rather than believing the address."""
    bought = pay.sync_checkout_session(request.args["session"])
    return redirect(url_for("front") if bought.status == "completed" else url_for("front", pending=1))


if __name__ == "__main__":
    app.run(port=PORT, threaded=True)
