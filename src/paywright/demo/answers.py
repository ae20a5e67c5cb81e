"""Pages, redirects and JSON, each with the cookie and the headers a store needs."""

from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from paywright.demo.outcome import OutcomePage
from paywright.demo.shelf import Purse
from paywright.demo.visit import COOKIE, COOKIE_AGE_S, DEMO_USERS, Message, Visit, Visits

HERE = Path(__file__).parent


class Answers:
    def __init__(self, prefix: str, visits: Visits, checkout_origin: str) -> None:
        self._prefix, self._visits = prefix, visits
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # A form's redirect counts as its action: the browser would stop at our own origin otherwise.
        policy = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
            f"form-action 'self' {checkout_origin}; base-uri 'none'; frame-ancestors 'none'"
        )
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    def page(
        self, template: str, visit: Visit, *, status: int = 200, is_glance: bool = False, **shown: Any
    ) -> Response[str]:
        """The visit's message is shown by this page, and gone with it. A script's glance at it leaves the message for the visitor."""
        text = self._templates.get_template(template).render(
            prefix=self._prefix,
            status=status,
            visit=visit,
            users=DEMO_USERS,
            message=visit.message,
            csrf=lambda: Markup('<input type="hidden" name="csrf" value="{}">').format(visit.csrf),
            **{"refresh_s": None, **shown},
        )
        cookies = [] if is_glance else [self._cookie(msgspec.structs.replace(visit, message=None))]
        return Response(text, status_code=status, media_type="text/html", headers=self._headers, cookies=cookies)

    def outcome(
        self, outcome: OutcomePage, visit: Visit, *, purse: Purse | None = None, status: int = 200
    ) -> Response[str]:
        return self.page(
            "outcome.html", visit, status=status, outcome=outcome, purse=purse, refresh_s=outcome.refresh_s
        )

    def redirect(self, url: str, visit: Visit, message: Message | None = None) -> Response[str]:
        """303, so that a reload repeats nothing."""
        kept = msgspec.structs.replace(visit, message=message)
        headers = {**self._headers, "Location": url}
        return Response("", status_code=303, media_type="text/plain", headers=headers, cookies=[self._cookie(kept)])

    def home(self, visit: Visit, message: Message | None = None, *, place: str = "") -> Response[str]:
        return self.redirect(f"{self._prefix}{place}", visit, message)

    def json(self, shown: dict[str, Any]) -> Response[str]:
        text = msgspec.json.encode(shown).decode()
        return Response(text, status_code=200, media_type="application/json", headers=self._headers)

    def _cookie(self, visit: Visit) -> Cookie:
        return Cookie(
            COOKIE,
            value=self._visits.written(visit),
            path=self._prefix,
            max_age=COOKIE_AGE_S,
            httponly=True,
            samesite="lax",
        )
