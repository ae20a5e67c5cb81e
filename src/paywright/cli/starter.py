"""What `paywright init` writes: a catalog to start from, and the first lines of code for a framework."""

CATALOG = """\
# What you sell. Check it with `paywright catalog lint`, put it in force with `paywright catalog apply`.
# Amounts are text in major units ("19.99"); yen have no decimals ("3000").

[items.credits]
display_name = "Credits"

[product_lines.plan] # a customer holds one of these at a time
display_name = "Plan"

[products.free]
display_name = "Free"
product_line = "plan"
include_by_default = true # everybody has it until they buy another plan
included_items.credits = { quantity = 5, repeat = "1 month" }

[products.pro]
display_name = "Pro"
product_line = "plan"
included_items.credits = { quantity = 100, repeat = "1 month" }

[products.pro.prices.monthly]
amounts = { usd = "19.00" }
interval = "1 month"

[products.pro.prices.yearly]
amounts = { usd = "190.00" }
interval = "1 year"

[products.credit-pack]
display_name = "100 credits"
stackable = true # may be bought again and again
prices.once.amounts = { usd = "10.00" }
included_items.credits = { quantity = 100, expires = "never" }
"""

_FASTAPI = """\
from fastapi import FastAPI, HTTPException
from paywright import Paywright

app = FastAPI()
pay = Paywright()


@app.post("/haiku")
def haiku(user_id: str) -> dict[str, str]:
    if not pay.user(user_id).get_item("credits").try_decrease_quantity(1):
        raise HTTPException(402, "No credits left.")
    return {"haiku": "…"}


@app.post("/buy")
def buy(user_id: str) -> dict[str, str]:
    page = "http://localhost:8000/"
    return {"url": pay.user(user_id).create_checkout_url("credit-pack", success_url=page, cancel_url=page)}
"""

_FLASK = """\
from flask import Flask, abort, redirect
from paywright import Paywright

app = Flask(__name__)
pay = Paywright()


@app.post("/haiku/<user_id>")
def haiku(user_id: str):
    if not pay.user(user_id).get_item("credits").try_decrease_quantity(1):
        abort(402)
    return "…"


@app.post("/buy/<user_id>")
def buy(user_id: str):
    page = "http://localhost:5000/"
    return redirect(pay.user(user_id).create_checkout_url("credit-pack", success_url=page, cancel_url=page), 303)
"""

_DJANGO = """\
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from paywright import Paywright

pay = Paywright()


@require_POST
def haiku(request):
    if not pay.user(str(request.user.pk)).get_item("credits").try_decrease_quantity(1):
        return HttpResponse("No credits left.", status=402)
    return HttpResponse("…")


@require_POST
def buy(request):
    page = request.build_absolute_uri("/")
    url = pay.user(str(request.user.pk)).create_checkout_url("credit-pack", success_url=page, cancel_url=page)
    return redirect(url)
"""

_LITESTAR = """\
from litestar import Litestar, post
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from paywright import Paywright

pay = Paywright()


@post("/haiku/{user_id:str}", sync_to_thread=True)
def haiku(user_id: str) -> str:
    if not pay.user(user_id).get_item("credits").try_decrease_quantity(1):
        raise HTTPException(status_code=402, detail="No credits left.")
    return "…"


@post("/buy/{user_id:str}", sync_to_thread=True)
def buy(user_id: str) -> Redirect:
    page = "http://localhost:8000/"
    return Redirect(pay.user(user_id).create_checkout_url("credit-pack", success_url=page, cancel_url=page), status_code=303)


app = Litestar([haiku, buy])
"""

_SCRIPT = """\
from paywright import Paywright

pay = Paywright()
user = pay.user("u_1")
page = "http://localhost:8787/"
print(user.create_checkout_url("credit-pack", success_url=page, cancel_url=page))
print(user.get_item("credits").try_decrease_quantity(1))
"""

EXAMPLES = {
    None: ("paywright_example.py", _SCRIPT),
    "fastapi": ("paywright_example.py", _FASTAPI),
    "flask": ("paywright_example.py", _FLASK),
    "django": ("paywright_views.py", _DJANGO),
    "litestar": ("paywright_example.py", _LITESTAR),
}
FRAMEWORKS = tuple(name for name in EXAMPLES if name is not None)


def starter_files(framework: str | None = None) -> dict[str, str]:
    """File names and texts; `framework` is one of `FRAMEWORKS`, or None for a plain script."""
    name, text = EXAMPLES[framework]
    return {"catalog.toml": CATALOG, name: text}
