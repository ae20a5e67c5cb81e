"""The style sheet, and the stand-in for Stripe.js."""

import json
from pathlib import Path

from ..params import API_VERSION
from ..web import WebAnswer, WebRequest, page

STYLE = Path(__file__).with_name("sandbox.css")
SCRIPTS = Path(__file__).with_name("stripe_js")
PARTS = ("elements.js", "page.js", "stripe.js")
OPENING = """/*
 * The sandbox's stand-in for Stripe.js. No real money: it talks to the sandbox that served it and to nobody else.
 * It serves `payment` and `card` elements, confirmations and 3D Secure. What it does not serve throws a sentence.
 */
"""


@page("GET /assets/sandbox.css")
async def style(request: WebRequest) -> WebAnswer:
    headers = {"Content-Type": "text/css; charset=utf-8", "Cache-Control": "max-age=300"}
    return WebAnswer(200, STYLE.read_bytes(), headers)


@page("GET /js/stripe.js")
async def stripe_js(request: WebRequest) -> WebAnswer:
    """For `STRIPE_JS_URL`. The sandbox's own address is written into it, so that it works wherever it is served from."""
    release = API_VERSION.partition(".")[2]
    parts = "\n".join((SCRIPTS / name).read_text() for name in PARTS)
    known = f"const SANDBOX = {script_text(request.origin)};\nconst RELEASE = {script_text(release)};"
    text = f'{OPENING}(() => {{\n"use strict";\n{known}\n\n{parts}}})();\n'
    headers = {"Content-Type": "text/javascript; charset=utf-8", "Access-Control-Allow-Origin": "*"}
    return WebAnswer(200, text.encode(), headers)


def script_text(value: str) -> str:
    """As a JavaScript string; an odd Host header stays a string."""
    return json.dumps(value).replace("<", "\\u003c")
