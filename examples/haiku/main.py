"""Haiku for credits: ten for five dollars, one for each poem. `python examples/haiku/main.py`"""

import os
import random
import uuid
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

import jinja2
import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from paywright import Paywright
from paywright.client import Client, PaymentRequired
from paywright.client.customer import User
from paywright.client.surface import Surface
from paywright.integrations.fastapi import customer, install, require_item

HERE = Path(__file__).parent
PORT = int(os.environ.get("PORT", "8000"))

FIRST = (
    "An old silent pond",
    "Over wintry fields",
    "The light of a lamp",
    "First autumn morning",
    "Snow on the mailbox",
)
SECOND = (
    "a frog jumps into the pond",
    "the receipt drifts down like leaves",
    "somebody pays for the moon",
    "the mirror I stare into",
    "one more letter, all unpaid",
)
THIRD = (
    "splash, silence again",
    "no one to refund",
    "the till drawer slides shut",
    "shows my father's face",
    "spring will settle it",
)


def opened() -> Surface:
    """The engine in this process, where every purchase is free; or a server elsewhere, such as `paywright dev`, with a till."""
    if url := os.environ.get("PAYWRIGHT_URL"):
        return Client(url, os.environ["PAYWRIGHT_SECRET_KEY"])
    return Paywright(provider="instant", catalog=str(HERE / "catalog.toml"))


def customer_of(request: Request) -> str | None:
    """An example believes its visitors. Yours reads a signed session."""
    return request.cookies.get("name")


pay = opened()
app = FastAPI(title="Haiku")
install(app, pay, customer_of=customer_of)
page = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True).get_template("page.html")

Me = Annotated[User, Depends(customer)]


async def form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


Form = Annotated[dict[str, str], Depends(form)]


def shown(name: str | None, *, status: int = 200, **more: Any) -> HTMLResponse:
    left = None if name is None else pay.user(name).get_item("credits").non_negative_quantity
    return HTMLResponse(
        page.render(name=name, left=left, draft=uuid.uuid4().hex, pack=pay.get_product("pack"), **more), status
    )


@app.get("/")
def desk(request: Request) -> Response:
    return shown(customer_of(request))


@app.post("/sign-in")
def sign_in(asked: Form) -> Response:
    answer = RedirectResponse("/", 303)
    if name := asked.get("name", "").strip()[:40]:
        answer.set_cookie("name", name, httponly=True, samesite="lax")
    return answer


@app.post("/buy")
def buy(request: Request, me: Me) -> Response:
    here = str(request.base_url)
    url = me.create_checkout_url("pack", success_url=f"{here}thanks?session={{CHECKOUT_SESSION_ID}}", cancel_url=here)
    return RedirectResponse(url, 303)


@app.get("/thanks")
def thanks(me: Me, session: str) -> Response:
    """Asks what became of it rather than believing the address."""
    bought = pay.sync_checkout_session(session)
    return shown(
        me.id, message="Thank you. Write away." if bought.status == "completed" else "The payment is still under way."
    )


@app.post("/haiku")
def haiku(me: Annotated[User, Depends(require_item("credits"))], asked: Form) -> Response:
    """The draft's id is the key: pressed twice, the button writes one poem and takes one credit."""
    draft = asked["draft"]
    me.get_item("credits").decrease_quantity(1, idempotency_key=f"haiku-{draft}", note="a haiku")
    choose = random.Random(draft).choice
    return shown(me.id, poem=(choose(FIRST), choose(SECOND), choose(THIRD)))


@app.exception_handler(PaymentRequired)
def kindly(request: Request, _error: PaymentRequired) -> Response:
    return shown(customer_of(request), status=402, message="The inkwell is empty. Ten more haiku fill it again.")


if __name__ == "__main__":
    uvicorn.run(app, port=PORT)
