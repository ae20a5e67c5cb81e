"""Templates, the headers every page is sent with, and the token that proves a form came from our page."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from ..errors import ApiError, Json
from ..money import THREE_DECIMAL, ZERO_DECIMAL
from ..web import WebAnswer, WebRequest, html_answer, page

if TYPE_CHECKING:
    from jinja2 import Environment

# Nothing may be loaded but our style sheet, nothing may run, no one may frame us, and forms go to us alone.
POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
COOKIE = "sandbox_form"
SECRET = secrets.token_bytes(32)
SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "inr": "₹", "cad": "CA$", "aud": "A$"}

View = Callable[[WebRequest], Awaitable[WebAnswer]]


def view(key: str) -> Callable[[View], View]:
    """Registers a page whose refusals are pages too."""

    def register(act: View) -> View:
        @wraps(act)
        async def answer(request: WebRequest) -> WebAnswer:
            try:
                return await act(request)
            except ApiError as refusal:
                return message(
                    request,
                    "Not found" if refusal.status == 404 else "That did not work",
                    refusal.message,
                    status=refusal.status,
                )

        page(key)(answer)
        return act

    return register


def show(request: WebRequest, template: str, *, status: int = 200, **facts: Any) -> WebAnswer:
    """Renders with `token`, the hidden field of every form on the page."""
    nonce = request.cookies.get(COOKIE) or secrets.token_urlsafe(18)
    text = templates().get_template(template).render(token=token_of(nonce), **facts)
    # Lax, so that the token still fits after the browser came back from the shop.
    cookie = f"{COOKIE}={nonce}; Path=/; HttpOnly; SameSite=Lax"
    return html_answer(text, status, {**HEADERS, "Set-Cookie": cookie})


def message(
    request: WebRequest, title: str, text: str, *, status: int = 200, mood: str = "plain", **facts: Any
) -> WebAnswer:
    """A page that says one thing. `link` and `link_text` lead on; `refresh` does so by itself."""
    return show(request, "message.html", status=status, title=title, text=text, mood=mood, **facts)


def token_of(nonce: str) -> str:
    return hmac.new(SECRET, nonce.encode(), hashlib.sha256).hexdigest()


def is_ours(request: WebRequest) -> bool:
    """The form's token fits the browser's cookie. It does not after a restart; then the page is shown again."""
    nonce, token = request.cookies.get(COOKIE, ""), text_of(request.form, "token")
    return bool(nonce) and hmac.compare_digest(token_of(nonce), token)


def text_of(form: Json, name: str) -> str:
    """A field of a form; a hash or nothing at all is an empty text."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


@cache
def templates() -> "Environment":
    """Jinja is loaded with the first page, so that a server nobody looks at does without."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("paywright_sandbox", "pages/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["money"] = money
    made.filters["day"] = day
    return made


def money(amount: int, currency: str) -> str:
    """`$1,234.50`, `¥2,000`, `CHF 12.00`."""
    places = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    whole, rest = divmod(abs(amount), 10**places)
    text = f"{whole:,}" + (f".{rest:0{places}d}" if places else "")
    minus = "−" if amount < 0 else ""
    return f"{minus}{SIGNS[currency]}{text}" if currency in SIGNS else f"{minus}{currency.upper()} {text}"


def day(at: int) -> str:
    """`27 November 2026`, in UTC."""
    date = time.gmtime(at)
    return f"{date.tm_mday} {time.strftime('%B %Y', date)}"


def moment(at: int) -> str:
    """`2026-11-27 09:30:00`, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
